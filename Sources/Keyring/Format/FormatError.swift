internal import Crypto

/// Why bytes are not what they should be: a ciphertext, key_id, record, publication, or file of the store.
public struct FormatError: Error, Sendable, Equatable {
    /// What a caller may do differently.
    public enum Code: String, Sendable {
        /// Not the format, or not its only valid encoding.
        case malformed
        /// A format number that this version does not know.
        case unsupported
        /// A bound of docs/formats.md is exceeded.
        case tooLarge
        /// A MAC or an authentication tag does not fit the KEK.
        case notAuthentic
        /// Two things do not belong together: other keyring, other KEK, other identity.
        case conflict
        /// libcrypto failed; not the input's fault.
        case cryptography
    }

    /// What kind of error it is.
    public let code: Code
    /// What was read or made: "record", "publication", "ciphertext", "key_id".
    public let subject: String
    /// Why, lower case, without a final period. Never key material.
    public let reason: String

    /// An error about `subject`.
    public init(_ code: Code, _ subject: String, _ reason: String) {
        self.code = code
        self.subject = subject
        self.reason = reason
    }

    /// libcrypto's failure while working on `subject`.
    init(_ error: CryptoError, _ subject: String) {
        self.init(.cryptography, subject, "\(error)")
    }
}

extension FormatError: CustomStringConvertible {
    /// Subject and reason.
    public var description: String { "\(subject): \(reason)" }
}
