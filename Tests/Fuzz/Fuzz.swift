internal import Crypto
internal import Glibc

/// What libFuzzer calls. One program holds all targets, since a build takes longer than a short run of each:
/// TROUSSEAU_FUZZ_TARGET chooses one, and with TROUSSEAU_FUZZ_SEEDS its seeds are written there instead.
enum Fuzz {
    static let targets: [any FuzzTarget] = [
        RecordTarget(), MergeTarget(), PublicationTarget(), EnvelopeTarget(), KeyIDTarget(), RecordFileTarget(),
        RolesFileTarget(), HighestFileTarget(), LocalSealFileTarget(), PKCS11SealTarget(), PINIdentityTarget(),
        KeyURITarget(), RecoverySealTarget(), RecoveryKeyFileTarget(), TPMPublicTarget(), TPMSealTarget(),
        PCRPolicyTarget(), VaultSealTarget(), VaultAnswerTarget(), VaultAddressTarget(), ConfigurationTarget(),
        KMSTarget(),
    ]

    static let target: any FuzzTarget = {
        let name = getenv("TROUSSEAU_FUZZ_TARGET").map { String(cString: $0) }
        guard let target = targets.first(where: { $0.name == name }) else {
            print(targets.map(\.name).joined(separator: "\n"))
            exit(name == nil ? 0 : 2)
        }
        // A machine with a small limit of locked memory can fuzz, too.
        try? SecureHeap.initialize(allowUnlocked: true)
        return target
    }()

    /// Ends the process as a crash does, so that libFuzzer keeps the input.
    static func fail(_ what: String) -> Never { fatalError("\(target.name): \(what)") }

    static func check(_ condition: Bool, _ what: String) {
        if !condition { fail(what) }
    }

    static func writeSeeds(into folder: String) throws {
        for (number, seed) in try target.seeds().enumerated() {
            let path = "\(folder)/seed-\(number)"
            guard let file = fopen(path, "w"), fwrite(seed, 1, seed.count, file) == seed.count, fclose(file) == 0 else {
                fail("cannot write \(path)")
            }
        }
    }
}

/// One thing that takes bytes from outside.
protocol FuzzTarget: Sendable {
    /// For TROUSSEAU_FUZZ_TARGET, and for the corpus' folder.
    var name: String { get }
    /// Some good inputs to begin with.
    func seeds() throws -> [[UInt8]]
    /// Takes any bytes; a crash or `Fuzz.fail` is a finding.
    func run(_ bytes: [UInt8])
}

@_cdecl("LLVMFuzzerInitialize")
func initialize(_ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutableRawPointer) -> CInt {
    let target = Fuzz.target
    guard let folder = getenv("TROUSSEAU_FUZZ_SEEDS") else { return 0 }
    do {
        try Fuzz.writeSeeds(into: String(cString: folder))
    } catch {
        print("\(target.name): no seeds: \(error)")
        exit(1)
    }
    exit(0)
}

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.target.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
