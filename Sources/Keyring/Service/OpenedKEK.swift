/// A KEK in memory, with what the hot path needs of it.
final class OpenedKEK: Sendable {
    let trusted: TrustedKEK
    let cipher: EnvelopeCipher
    /// The backend that opened it.
    let backend: String
    /// How long that call took.
    let latency: Duration

    init(_ trusted: TrustedKEK, backend: String, latency: Duration) {
        self.trusted = trusted
        self.backend = backend
        self.latency = latency
        cipher = EnvelopeCipher(kek: trusted.kek, keyring: trusted.identity.keyring)
    }
}
