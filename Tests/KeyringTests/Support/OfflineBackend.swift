import Keyring

/// A backend that seals and opens nothing, as one for a recovery key; the key itself is that of `key`.
final class OfflineBackend: SealingBackend {
    let key: MemoryBackend

    init(_ name: String = "recovery", key: UInt8 = 99) throws {
        self.key = try MemoryBackend(name, kind: "recovery", key: key, isAuthenticating: false)
    }

    var name: String { key.name }
    var kind: String { key.kind }
    var canUnseal: Bool { false }

    func recipients(
        generateMissingKey: Bool, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        try await key.recipients(generateMissingKey: generateMissingKey, until: until)
    }

    func serves(_ recipient: Recipient) -> Bool { key.serves(recipient) }

    func isAuthenticated(_ seal: Seal) -> Bool { false }

    func seal(
        _ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant
    ) async throws(SealingError) -> Seal {
        try await key.seal(kek, to: recipient, until: until)
    }

    func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK {
        throw SealingError(.permanent, "\(name): opens nothing")
    }

    func probe(until: ContinuousClock.Instant) async throws(SealingError) { try await key.probe(until: until) }

    func diagnose(until: ContinuousClock.Instant) async -> [Finding] { [] }

    func shutdown(until: ContinuousClock.Instant) async {}
}
