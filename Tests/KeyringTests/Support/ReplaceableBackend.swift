import Keyring
import Synchronization

/// A backend whose device can be exchanged for another one, which has another sealing key and takes the same PIN. Like
/// the code for an HSM it knows the key that it was told last.
final class ReplaceableBackend: SealingBackend {
    private let devices: [MemoryBackend]
    private let current = Mutex(0)

    /// The devices, the first of which is there.
    init(_ devices: MemoryBackend...) { self.devices = devices }

    func replace(by device: Int) { current.withLock { $0 = device } }

    var first: MemoryBackend { devices[0] }

    private var device: MemoryBackend { devices[current.withLock { $0 }] }

    var name: String { devices[0].name }
    var kind: String { devices[0].kind }

    func recipients(
        generateMissingKey: Bool, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        try await device.recipients(generateMissingKey: generateMissingKey, until: until)
    }

    func serves(_ recipient: Recipient) -> Bool { device.serves(recipient) }

    func isAuthenticated(_ seal: Seal) -> Bool { device.isAuthenticated(seal) }

    func seal(
        _ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant
    ) async throws(SealingError) -> Seal {
        try await device.seal(kek, to: recipient, until: until)
    }

    func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK {
        try await device.unseal(seal, until: until)
    }

    func probe(until: ContinuousClock.Instant) async throws(SealingError) { try await device.probe(until: until) }

    func diagnose(until: ContinuousClock.Instant) async -> [Finding] { await device.diagnose(until: until) }

    func shutdown(until: ContinuousClock.Instant) async { await device.shutdown(until: until) }
}
