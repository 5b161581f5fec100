import Keyring
import TestSupport

@testable import TPMBackend

/// A node: its TPM, its own folder, and backends for them.
struct Node {
    let tpm: SoftTPM
    let state: String
    private let tcti: String

    /// A new node with a new TPM.
    static func make(_ scope: TestScope, _ name: String = "tpm") async throws -> Node {
        Node(try await SoftTPM.start(scope, name), state: scope.path(name + "-state"))
    }

    /// - Parameter tcti: another way to the TPM than its own socket.
    init(_ tpm: SoftTPM, state: String, tcti: String? = nil) {
        self.tpm = tpm
        self.state = state
        self.tcti = tcti ?? tpm.tcti
    }

    /// The same node with another way to the TPM, or another TPM in its place.
    func with(_ other: SoftTPM? = nil, tcti: String? = nil) -> Node {
        Node(other ?? tpm, state: state, tcti: tcti ?? (other ?? tpm).tcti)
    }

    func backend(log: Log = .none, _ change: (inout TPMConfiguration) -> Void = { _ in }) throws -> TPMBackend {
        if !Files.exists(state) { try Files.makeDirectory(state) }
        var configuration = TPMConfiguration(name: "node-tpm", stateDirectory: state)
        configuration.tcti = tcti
        change(&configuration)
        return try TPMBackend(configuration, log: log)
    }

    /// A backend that has enrolled the node, and its recipients: the shared one and the local one.
    func enrolled(log: Log = .none) async throws -> (backend: TPMBackend, shared: Recipient, local: Recipient) {
        let backend = try backend(log: log)
        let shared = try await backend.recipients(generateMissingKey: true, until: patience)
        let local = try await backend.localRecipients(until: patience)
        guard shared.count == 1, local.count == 1 else { throw TestError("\(shared.count) and \(local.count)") }
        return (backend, shared[0], local[0])
    }
}

/// Long enough for a machine with much to do.
var patience: ContinuousClock.Instant { .now + .seconds(120) }

/// A backend of which only the local recipients are looked at, for `BackendContract`.
struct LocalRecipients: SealingBackend {
    let backend: TPMBackend

    var name: String { backend.name }
    var kind: String { backend.kind }

    func recipients(
        generateMissingKey: Bool, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        if generateMissingKey { _ = try await backend.recipients(generateMissingKey: true, until: until) }
        return try await backend.localRecipients(until: until)
    }

    func serves(_ recipient: Recipient) -> Bool { backend.serves(recipient) }
    func isAuthenticated(_ seal: Seal) -> Bool { backend.isAuthenticated(seal) }
    func seal(_ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant) async throws(SealingError) -> Seal {
        try await backend.seal(kek, to: recipient, until: until)
    }
    func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK {
        try await backend.unseal(seal, until: until)
    }
    func probe(until: ContinuousClock.Instant) async throws(SealingError) { try await backend.probe(until: until) }
    func diagnose(until: ContinuousClock.Instant) async -> [Finding] { await backend.diagnose(until: until) }
    func shutdown(until: ContinuousClock.Instant) async { await backend.shutdown(until: until) }
}
