internal import Crypto

/// A secret of nobody's, sealed once and opened by each probe.
struct Canary: Sendable {
    private let plaintext: SecretText.Owned
    private let seal: VaultSeal
    private let version: Int

    /// Seals 32 random bytes.
    init(_ transit: Transit, _ key: TransitKey, _ until: ContinuousClock.Instant) async throws(VaultError) {
        let secret: SecretBytes
        do {
            secret = try SecretBytes(randomCount: 32)
        } catch {
            throw VaultError(error)
        }
        seal = try await transit.encrypt(secret, as: key, until)
        plaintext = SecretText.Owned(secret)
        version = key.latestVersion
    }

    /// Whether it should still open: a version below the minimum does not.
    func fits(_ key: TransitKey) -> Bool { version == key.latestVersion }

    /// - Throws: `seal` when it opens to something else.
    func check(_ transit: Transit, _ until: ContinuousClock.Instant) async throws(VaultError) {
        let opened = try await transit.decrypt(seal, until)
        guard opened.bytes.isEqual(to: plaintext.bytes) else { throw VaultSeal.doesNotOpen }
    }
}
