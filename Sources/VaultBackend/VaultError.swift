internal import Crypto
public import Keyring

/// Why Vault could not be used. Holds no token, no other credential and no key material.
public struct VaultError: Error, Sendable, Equatable {
    /// What kind of failure it is.
    public enum Code: String, Sendable {
        /// The configuration cannot be right: addresses, names, paths.
        case configuration
        /// A file with a credential cannot be used: missing, too open, empty, too long.
        case credentials
        /// Vault refused to log this node in, or its token is no good any more.
        case login
        /// The token is good, but its policies do not allow the call.
        case denied
        /// There is no such mount, key or role.
        case notFound
        /// The key's type or flags do not protect what is sealed to it.
        case keyRefused
        /// Nobody answers at the address, or the connection broke.
        case unreachable
        /// Certificates, names or versions of TLS do not fit.
        case tls
        /// Vault answers, but is sealed, not initialised, or a node that does not serve.
        case sealed
        /// Vault wants to be left alone for now, or failed by itself.
        case busy
        /// Vault refused the request as it is.
        case request
        /// What came back is no answer of Vault's.
        case answer
        /// A seal that is no string of Vault's, or does not open.
        case seal
        /// No answer in time.
        case deadline
        /// The backend was shut down.
        case shutdown
        /// Memory, libcurl or libcrypto of this process failed.
        case local
    }

    /// What kind of failure it is.
    public let code: Code
    /// What the caller can do about it.
    public let errorClass: SealingError.Class
    /// What failed and why, lower case, no final period: `POST transit/encrypt/kek: 403: permission denied`.
    public let message: String
    /// What to do about it.
    public let hint: String?
    /// The HTTP status, if there was one.
    let status: Int?
    /// What Vault itself said, made safe to show; nil when nothing came, or when it was not Vault who answered.
    let words: String?
    /// Whether certainly no server has taken the request: what it was to consume is still there.
    let isUnsent: Bool

    init(
        _ code: Code, _ message: String, hint: String? = nil, errorClass: SealingError.Class = .operatorMustAct,
        status: Int? = nil, words: String? = nil, isUnsent: Bool = false
    ) {
        self.code = code
        self.errorClass = errorClass
        self.message = message
        self.hint = hint
        self.status = status
        self.words = words
        self.isUnsent = isUnsent
    }

    /// A failure of libcrypto or of secure memory.
    init(_ error: CryptoError) {
        self.init(.local, "\(error)", errorClass: .retry)
    }

    /// Whether Vault itself said that it does not take a credential, and not a proxy before it.
    var isRefusal: Bool { words != nil && status.map { [400, 401, 403, 404].contains($0) } ?? false }

    /// As the sealing chain takes it.
    var sealingError: SealingError { SealingError(errorClass, message, hint: hint, cause: self) }
}

extension VaultError: CustomStringConvertible {
    /// The message, and the hint after a semicolon.
    public var description: String {
        guard let hint else { return message }
        return "\(message); \(hint)"
    }
}
