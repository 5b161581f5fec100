internal import Crypto

/// One HTTP request.
struct HTTPRequest: Sendable {
    enum Method: String, Sendable { case get = "GET", post = "POST", delete = "DELETE" }

    let method: Method
    let url: String
    /// Such as `X-Vault-Namespace: team`; without anything secret.
    let headers: [String]
    /// Sent as X-Vault-Token.
    let token: VaultToken?
    /// JSON.
    let body: RequestBody?
    /// When the caller stops waiting.
    let until: ContinuousClock.Instant
    /// Whether it must not be sent twice: over a connection that is kept, libcurl would send it again when that turns
    /// out to be closed.
    let isOnce: Bool
}

/// A request's body, which may hold a secret and may be sent more than once.
final class RequestBody: Sendable {
    let bytes: SecretBytes

    init(_ bytes: consuming SecretBytes) {
        self.bytes = bytes
    }
}

/// What came back.
struct HTTPAnswer: Sendable {
    let status: Int
    let body: WipedBuffer
    /// Where a redirect leads to; nothing follows it but `VaultClient`.
    let redirect: String?
}
