public import Keyring
internal import Crypto

/// Opens what was sealed to a recovery key, with the private key in hand. Only for `trousseau recover`, as an `unsealOnly`
/// member of its chain; what the plugin itself runs with is `RecoveryBackend`.
public final class OfflineKeyBackend: SealingBackend {
    /// "offline key".
    public let name = "offline key"
    /// "recovery".
    public let kind = RecipientDescription.kind
    /// The recipient whose private half this is.
    public let recipient: Recipient

    private let key: OfflineKey

    /// A backend for one key.
    ///
    /// - Throws: `cryptography`.
    public init(_ key: OfflineKey) throws(RecoveryError) {
        self.key = key
        recipient = try RecipientKey(key.key).recipient()
    }

    /// None: nothing is sealed to it here, the certificate does for that.
    public func recipients(
        generateMissingKey: Bool, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] { [] }

    /// Whether its seals are to this key.
    public func serves(_ recipient: Recipient) -> Bool { recipient.id == self.recipient.id }

    /// False: whoever has the public key can make such a seal.
    public func isAuthenticated(_ seal: Seal) -> Bool { false }

    /// Always fails; see `recipients`.
    public func seal(
        _ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant
    ) async throws(SealingError) -> Seal {
        throw RecoveryError(
            .recipient, "\(name): it only opens", hint: "configure the certificate as a backend to seal to it",
            errorClass: .permanent
        ).sealingError
    }

    /// Opens a seal; at most some milliseconds.
    public func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK {
        do throws(RecoveryError) {
            return try RecoverySeal.open(seal.bytes, of: seal.kekID, with: key.key)
        } catch {
            throw error.sealingError
        }
    }

    /// Always succeeds: the key is in memory.
    public func probe(until: ContinuousClock.Instant) async throws(SealingError) {}

    /// Nothing to check.
    public func diagnose(until: ContinuousClock.Instant) async -> [Finding] { [] }

    /// The key goes with this object.
    public func shutdown(until: ContinuousClock.Instant) async {}
}
