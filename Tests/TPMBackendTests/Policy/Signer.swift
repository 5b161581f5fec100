import Crypto
import TestSupport

@testable import TPMBackend

/// Signs PCR policies as systemd-measure does, with openssl.
struct Signer {
    /// `openssl genpkey`'s options.
    static let rsa = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    static let rsa3072 = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]
    static let p256 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    static let p384 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]

    let scope: TestScope
    let name: String

    /// A new key `NAME.key`, and its public half `NAME.pem`.
    static func make(_ scope: TestScope, _ name: String, _ options: [String]) async throws -> Signer {
        let signer = Signer(scope: scope, name: name)
        try await signer.openssl(["genpkey", "-quiet", "-out", "\(name).key"] + options)
        try await signer.openssl(["pkey", "-in", "\(name).key", "-pubout", "-out", "\(name).pem"])
        try Files.changeMode(signer.publicPath, to: 0o600)
        return signer
    }

    var publicPath: String { scope.path("\(name).pem") }

    func key() throws -> SigningKey { try SigningKey(pem: Files.read(publicPath), path: publicPath) }

    /// The signature over SHA-256 of a policy digest.
    func sign(_ policy: [UInt8]) async throws -> [UInt8] {
        try Files.write(policy, to: scope.path("policy"))
        try await openssl(["dgst", "-sha256", "-sign", "\(name).key", "-out", "signature", "policy"])
        return try Files.read(scope.path("signature"))
    }

    /// An element of a signature file.
    func entry(_ values: PCRValues) async throws -> String {
        var digest = PolicyDigest()
        try digest.pcrs(values)
        let signature = Base64.encode(try await sign(digest.bytes))
        let pcrs = values.selection.indices.map(String.init).joined(separator: ",")
        return """
            {"pcrs":[\(pcrs)],"pkfp":"\(Hex.encode(try key().fingerprint))","pol":"\(Hex.encode(digest.bytes))",\
            "sig":"\(signature)"}
            """
    }

    /// A signature file for these states.
    func file(_ states: PCRValues...) async throws -> String {
        var entries: [String] = []
        for values in states { entries.append(try await entry(values)) }
        return #"{"sha1":[{"pcrs":[11],"pkfp":"00"}],"sha256":[\#(entries.joined(separator: ","))]}"#
    }

    @discardableResult
    func openssl(_ arguments: [String]) async throws -> ChildProcess.Result {
        let result = try await ChildProcess.run(
            "openssl", arguments, directory: scope.directory, within: .seconds(120))
        guard result.succeeded else { throw TestError("openssl \(arguments): \(result.text)") }
        return result
    }
}

/// Values of some PCRs that begin with a byte.
func pcrs(_ text: String, _ byte: UInt8) throws -> PCRValues {
    let selection = try PCRExpectation(text).selection
    let values = selection.indices.map { [byte, UInt8($0)] + [UInt8](repeating: 0xaa, count: 30) }
    guard let values = PCRValues(selection, values) else { throw TestError("\(text)") }
    return values
}
