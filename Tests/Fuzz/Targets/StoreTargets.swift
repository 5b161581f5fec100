@testable internal import Crypto
@testable internal import Keyring

/// A record's file; its text may vary, its record does not.
struct RecordFileTarget: FuzzTarget {
    let name = "record-file"

    func seeds() throws -> [[UInt8]] { [RecordFile.encode(try Sample.record(generation: 2))] }

    func run(_ bytes: [UInt8]) {
        guard let record = try? RecordFile.decode(bytes) else { return }
        Fuzz.check((try? RecordFile.decode(RecordFile.encode(record))) == record, "written, it is another one")
    }
}

/// The roles' file; only its comments may vary.
struct RolesFileTarget: FuzzTarget {
    let name = "roles-file"

    func seeds() throws -> [[UInt8]] {
        let (active, prepared) = (try Sample.record().identity, try Sample.record(generation: 2).identity)
        return [
            RolesFile.encode(try Roles(active: active, prepared: nil, under: Sample.kek(1))),
            RolesFile.encode(try Roles(active: active, prepared: prepared, under: Sample.kek(1))),
        ]
    }

    func run(_ bytes: [UInt8]) {
        guard let roles = try? RolesFile.decode(bytes) else { return }
        let isComment: (ArraySlice<UInt8>) -> Bool = { $0.first == UInt8(ascii: "#") }
        let lines = bytes.split(separator: TextFile.newline, omittingEmptySubsequences: false).filter { !isComment($0) }
        let written = RolesFile.encode(roles).split(separator: TextFile.newline, omittingEmptySubsequences: false)
            .filter { !isComment($0) }
        Fuzz.check(lines == written, "accepted lines are not those that are written")
    }
}

/// The highest generation.
struct HighestFileTarget: FuzzTarget {
    let name = "highest-file"

    func seeds() -> [[UInt8]] { [HighestFile.encode(1), HighestFile.encode(.max)] }

    func run(_ bytes: [UInt8]) {
        guard let generation = try? HighestFile.decode(bytes) else { return }
        Fuzz.check(HighestFile.encode(generation) == bytes, "accepted bytes are not the encoding")
    }
}

/// A node-local seal.
struct LocalSealFileTarget: FuzzTarget {
    let name = "local-seal-file"

    func seeds() throws -> [[UInt8]] { [try LocalSealFile.encode(Sample.seal(Sample.kek(1), to: "tpm:aa"))] }

    func run(_ bytes: [UInt8]) {
        guard let seal = try? LocalSealFile.decode(bytes) else { return }
        Fuzz.check((try? LocalSealFile.encode(seal)) == bytes, "accepted bytes are not the encoding")
        guard let name = try? LocalSealFile.name(kekID: seal.kekID, recipient: seal.recipient) else {
            Fuzz.fail("a recipient without a file name")
        }
        Fuzz.check(!name.contains("/") && !name.hasPrefix("."), "a file name that leaves its folder")
    }
}
