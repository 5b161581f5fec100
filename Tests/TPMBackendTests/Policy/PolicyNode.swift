import CTSS2
import Crypto
import Keyring
import TestSupport

@testable import TPMBackend

/// A node whose TPM has something in its PCRs, and a backend with a policy.
struct PolicyNode {
    let scope: TestScope
    let node: Node

    /// PCRs 7 and 11 are measured into.
    static func make(_ scope: TestScope) async throws -> PolicyNode {
        let made = PolicyNode(scope: scope, node: try await Node.make(scope))
        try await made.extend(7, 1)
        try await made.extend(11, 1)
        return made
    }

    /// A backend that gives the TPM back at once, since tpm2-tools want it, too.
    func backend(_ policy: TPMPolicy) throws -> TPMBackend {
        try node.backend { configuration in
            configuration.policy = policy
            configuration.idleClose = .zero
        }
    }

    /// A policy that the TPM's present state fulfils: by a signature over PCR 11, or by the literal values of `pcrs`.
    func policy(isSigned: Bool, pcrs: String) async throws -> TPMPolicy {
        let signer = try await Signer.make(scope, "signer", Signer.p256)
        try await sign(signer)
        return isSigned
            ? .signed(try SignedPolicy(publicKey: signer.publicPath, signatures: signatures))
            : .literal(try LiteralPolicy(pcrs: [pcrs]))
    }

    /// What `extend` measures.
    static func measured(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

    func extend(_ pcr: Int, _ byte: UInt8) async throws {
        try await node.tpm.tool("tpm2_pcrextend", "\(pcr):sha256=\(Hex.encode(PolicyNode.measured(byte)))")
    }

    /// The value that a PCR will have.
    func value(of pcr: Int, extendedBy byte: UInt8) async throws -> [UInt8] {
        try SHA256.hash(try await read("\(pcr)").values[0] + PolicyNode.measured(byte))
    }

    /// As `tpm2_pcrread` shows them.
    func read(_ text: String) async throws -> PCRValues {
        let selection = try PCRExpectation(text).selection
        let list = selection.indices.map(String.init).joined(separator: ",")
        try await node.tpm.tool("tpm2_pcrread", "sha256:\(list)", "-o", "pcrs")
        let bytes = try Files.read(scope.path("pcrs"))
        let values = stride(from: 0, to: bytes.count, by: 32).map { Array(bytes[$0..<($0 + 32)]) }
        guard let read = PCRValues(selection, values) else { throw TestError("\(bytes.count) bytes of \(text)") }
        return read
    }

    var signatures: String { scope.path("signatures.json") }

    /// Signs the present values of PCR 11.
    func sign(_ signer: Signer) async throws {
        try Files.write(try await signer.file(read("11")), to: signatures)
    }
}

/// What a call throws.
func refusal(_ body: () async throws -> Void) async -> SealingError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? SealingError
    }
}
