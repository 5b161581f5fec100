internal import Crypto

/// Why a keyring could not be made, opened or read: what failed, why, and what to do.
public struct KeyringError: Error, Sendable {
    /// What kind of error it is.
    public enum Code: String, Sendable {
        /// The keyring's files; `cause` is a `StoreError`.
        case store
        /// The keyring's name is not one, or not that of the keyring in the directory.
        case name
        /// Fewer backends sealed the KEK, and opened their seal again, than have to.
        case tooFewSeals
        /// No backend opens the active KEK.
        case notOpen
        /// Another `reseal` is under way, or it was asked for what cannot be.
        case reseal
        /// A KEK that `recover` is to bring back does not open.
        case recovery
        /// A record or publication cannot be made; `cause` is a `FormatError`.
        case format
        /// The plugin's own cryptography failed; `cause` is a `CryptoError`.
        case cryptography
    }

    /// What kind of error it is.
    public let code: Code
    /// What failed and why, lower case, without a final period. Never key material.
    public let message: String
    /// What to do about it, if anything.
    public let hint: String?
    /// The error behind it.
    public let cause: (any Error)?

    /// An error of this kind.
    public init(_ code: Code, _ message: String, hint: String? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.cause = cause
    }

    init(_ error: StoreError) {
        self.init(.store, "\(error.path): \(error.reason)", hint: error.hint, cause: error)
    }

    init(_ error: FormatError) {
        self.init(error.code == .cryptography ? .cryptography : .format, "\(error)", cause: error)
    }

    init(_ error: CryptoError) {
        self.init(.cryptography, "\(error)", cause: error)
    }

    /// The store's own code, when the store is what failed: `exists`, `locked`, `rollback`, …
    public var storeCode: StoreError.Code? { (cause as? StoreError)?.code }
}

extension KeyringError: CustomStringConvertible {
    /// Message and hint.
    public var description: String {
        guard let hint else { return message }
        return "\(message); \(hint)"
    }
}
