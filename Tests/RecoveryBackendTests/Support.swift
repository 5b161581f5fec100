import Crypto
import Keyring
import RecoveryBackend
import TestSupport
import Testing

/// The suites of this module, one test after the other: making keys takes a core for seconds, and tests of other modules
/// wait for answers meanwhile.
@Suite(.serialized) enum RecoveryBackendSuites {}

/// OpenSSL's own command line, which an operator may have instead of this program.
struct OpenSSL {
    let scope: TestScope

    /// Runs it in the scope's folder.
    @discardableResult
    func run(_ arguments: String...) async throws -> ChildProcess.Result {
        let result = try await ChildProcess.run("openssl", arguments, directory: scope.directory)
        guard result.succeeded else { throw TestError("openssl \(arguments): \(result.text)") }
        return result
    }

    /// A private key `name.key` of a type.
    func key(_ type: RecoveryKeyType, _ name: String = "offline") async throws {
        let options =
            switch type {
            case .rsa3072: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]
            case .rsa4096: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"]
            case .p256: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
            case .p384: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]
            }
        try await key(options, name)
    }

    func key(_ options: [String], _ name: String = "offline") async throws {
        let result = try await ChildProcess.run(
            "openssl", ["genpkey", "-quiet", "-out", "\(name).key"] + options, directory: scope.directory,
            within: .seconds(120))
        guard result.succeeded else { throw TestError("openssl genpkey: \(result.text)") }
    }

    /// The bare public key `name.pub` of `name.key`.
    func publicKey(_ name: String = "offline") async throws -> String {
        try await run("pkey", "-in", "\(name).key", "-pubout", "-out", "\(name).pub")
        try Files.changeMode(scope.path("\(name).pub"), to: 0o600)
        return scope.path("\(name).pub")
    }

    /// A self-signed certificate of `name.key`.
    func certificate(_ name: String = "offline", subject: String = "/CN=Offline", _ options: [String] = []) async throws
        -> String
    {
        let file = scope.path("\(subject.dropFirst(4)).pem")
        let result = try await ChildProcess.run(
            "openssl", ["req", "-x509", "-new", "-key", "\(name).key", "-subj", subject, "-out", file] + options,
            directory: scope.directory)
        guard result.succeeded else { throw TestError("openssl req: \(result.text)") }
        try Files.changeMode(file, to: 0o600)
        return file
    }

    /// What `openssl cms -decrypt` makes of a seal with `name.key` and nothing else.
    func decrypt(_ seal: Seal, _ name: String = "offline", _ options: [String] = []) async throws -> [UInt8] {
        try Files.write(seal.bytes, to: scope.path("seal.der"))
        let result = try await ChildProcess.run(
            "openssl",
            ["cms", "-decrypt", "-binary", "-inform", "DER", "-in", "seal.der", "-inkey", "\(name).key", "-out", "kek"]
                + options, directory: scope.directory)
        guard result.succeeded else { throw TestError("openssl cms -decrypt: \(result.text)") }
        return try Files.read(scope.path("kek"))
    }
}

extension RecoveryBackend {
    static func make(_ path: String) throws -> RecoveryBackend {
        try RecoveryBackend(RecoveryConfiguration(name: "recovery", certificate: path))
    }

    func recipient() async throws -> Recipient {
        let recipients = try await recipients(generateMissingKey: true, until: .now + .seconds(60))
        guard let recipient = recipients.first, recipients.count == 1 else { throw TestError("\(recipients)") }
        return recipient
    }

    func seal(_ kek: KEK) async throws -> Seal {
        try await seal(kek, to: recipient(), until: .now + .seconds(60))
    }
}

extension OfflineKeyBackend {
    /// Reads `name.key` of the scope; an encrypted one is not expected.
    static func read(_ scope: TestScope, _ name: String = "offline") throws -> OfflineKeyBackend {
        try OfflineKeyBackend(
            try OfflineKey.read(scope.path("\(name).key")) { throw TestError("a passphrase is asked for") })
    }

    func open(_ seal: Seal) async throws -> KEK { try await unseal(seal, until: .now + .seconds(60)) }
}

func secret(_ text: String) throws -> SecretBytes {
    try Array(text.utf8).span.withUnsafeBytes { (bytes) throws(CryptoError) in try SecretBytes(copying: bytes) }
}

/// The 32 bytes of a KEK, for a comparison.
func bytes(_ kek: KEK) -> [UInt8] { kek.withUnsafeBytes { Array($0) } }

/// What a call throws, as a SealingError.
func sealingError(_ body: () async throws -> Void) async -> SealingError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? SealingError
    }
}
