import Crypto
import Keyring

/// A backend whose seal is the KEK's bytes, each exclusive-or 0x5a, as those of the other scenarios.
struct PlainBackend: SealingBackend {
    let name: String
    let recipient: Recipient
    /// Whose seals stay on the node.
    var local: [Recipient] = []
    /// Other recipients whose sealing keys it has.
    var served: [String] = []

    var kind: String { recipient.kind }

    func recipients(
        generateMissingKey: Bool, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] { [recipient] }

    func localRecipients(until: ContinuousClock.Instant) async throws(SealingError) -> [Recipient] { local }

    func serves(_ recipient: Recipient) -> Bool {
        recipient.id == self.recipient.id || local.contains { $0.id == recipient.id } || served.contains(recipient.id)
    }

    func isAuthenticated(_ seal: Seal) -> Bool { true }

    func seal(
        _ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant
    ) async throws(SealingError) -> Seal {
        Seal(recipient: recipient, kekID: kek.id, bytes: kek.withUnsafeBytes { $0.map { $0 ^ 0x5a } })
    }

    func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK {
        do {
            return try seal.bytes.map { $0 ^ 0x5a }.withUnsafeBytes { try KEK(SecretBytes(copying: $0)) }
        } catch {
            throw SealingError(.permanent, "\(error)")
        }
    }

    func probe(until: ContinuousClock.Instant) async throws(SealingError) {}

    func diagnose(until: ContinuousClock.Instant) async -> [Finding] { [] }

    func shutdown(until: ContinuousClock.Instant) async {}
}
