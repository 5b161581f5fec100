import Keyring
import Synchronization
import TestSupport
import Testing

/// A backend whose device has a public key, for the record, and keys that never leave it, for this node; as a TPM does.
/// A key stands for a policy: whether it opens depends on the state of the device.
final class NodeBackend: SealingBackend {
    private struct State {
        var wanted: [UInt8]
        var closed: Set<UInt8> = []
        var isLocalOnly = false
    }

    let name: String
    let kind = "node"
    /// Nil: its KEKs are sealed to this node only.
    let shared: MemoryBackend?
    private let keys: [MemoryBackend]
    private let state: Mutex<State>

    /// - Parameters:
    ///   - shared: the key for the record.
    ///   - local: the keys that the configuration wants; the device has those from 100 to 109.
    init(_ name: String = "node-tpm", shared: UInt8? = 50, local: [UInt8] = [100], device: UInt8 = 0) throws {
        self.name = name
        self.shared = try shared.map {
            try MemoryBackend(name, kind: "node", key: $0 + device, isAuthenticating: false)
        }
        keys = try (100..<110).map { try MemoryBackend(name, kind: "node", key: $0 + device) }
        state = Mutex(State(wanted: local.map { $0 + device }))
    }

    /// Another configuration of the same device.
    func want(_ keys: [UInt8]) { state.withLock { $0.wanted = keys } }

    /// From now on it wants no seal in the record, as with a PIN; or wants one again.
    func wantShared(_ isWanted: Bool) { state.withLock { $0.isLocalOnly = !isWanted } }

    /// The policies that the device's state does not fulfil.
    func close(_ keys: Set<UInt8>) { state.withLock { $0.closed = keys } }

    func calls(_ function: MemoryBackend.Function) -> Int {
        (keys + [shared].compactMap(\.self)).reduce(0) { $0 + $1.calls(function) }
    }

    /// Of its shared key only.
    func set(_ behaviour: MemoryBackend.Behaviour, _ function: MemoryBackend.Function) {
        for key in keys + [shared].compactMap(\.self) { key.set(behaviour, function) }
    }

    func recipients(
        generateMissingKey: Bool, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        guard let shared, !state.withLock({ $0.isLocalOnly }) else {
            _ = try await keys[0].recipients(generateMissingKey: generateMissingKey, until: until)
            return []
        }
        return try await shared.recipients(generateMissingKey: generateMissingKey, until: until)
    }

    func localRecipients(until: ContinuousClock.Instant) async throws(SealingError) -> [Recipient] {
        _ = try await keys[0].recipients(generateMissingKey: false, until: until)
        return state.withLock { $0.wanted }.compactMap { wanted in
            keys.first { $0.recipient.id == "node:key\(wanted)" }?.recipient
        }
    }

    func serves(_ recipient: Recipient) -> Bool { device(recipient) != nil }

    func isAuthenticated(_ seal: Seal) -> Bool { seal.recipient.id != shared?.recipient.id }

    func seal(
        _ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant
    ) async throws(SealingError) -> Seal {
        guard let key = device(recipient) else { throw MemoryBackend.doesNotOpen }
        return try await key.seal(kek, to: recipient, until: until)
    }

    func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK {
        guard let key = device(seal.recipient) else { throw MemoryBackend.doesNotOpen }
        guard !state.withLock({ state in state.closed.contains { key.recipient.id == "node:key\($0)" } }) else {
            throw SealingError(.permanent, "the policy is not fulfilled")
        }
        return try await key.unseal(seal, until: until)
    }

    func probe(until: ContinuousClock.Instant) async throws(SealingError) { try await keys[0].probe(until: until) }

    func diagnose(until: ContinuousClock.Instant) async -> [Finding] { [Finding(.ok, name, "in memory")] }

    func shutdown(until: ContinuousClock.Instant) async {}

    private func device(_ recipient: Recipient) -> MemoryBackend? {
        (keys + [shared].compactMap(\.self)).first { $0.recipient.id == recipient.id }
    }
}

extension Rig {
    /// A service over a keyring that an HSM and the node's device have sealed for the record. The device seals, too, and its
    /// state does not let it open what stays on the node.
    static func withClosedNode(_ body: (Rig, NodeBackend) async throws -> Void) async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let hsm = try MemoryBackend("hsm", key: 1)
            let node = try NodeBackend()
            try await write(path, [try Sample.kek(1)], to: [hsm, try #require(node.shared)])
            node.close([100])
            try await with(path, [.init(hsm), .init(node)]) { (rig: Rig) async throws in try await body(rig, node) }
        }
    }
}
