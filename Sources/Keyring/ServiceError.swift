/// Why a KMS request was refused. The text goes to the API server and its log: a class and what to do, no key material.
public struct ServiceError: Error, Sendable, Equatable {
    /// What kind of refusal it is.
    public enum Code: String, Sendable, CaseIterable {
        /// The request cannot be right: malformed or altered ciphertext, a key_id that names another KEK.
        case invalidArgument
        /// A KEK that this keyring has never held.
        case notFound
        /// The operator has to act first: the KEK's seals do not open, the keyring is another one.
        case failedPrecondition
        /// Not now: no backend has opened the KEK yet.
        case unavailable
        /// The caller's deadline passed.
        case deadlineExceeded
        /// A limit of the plugin was reached.
        case resourceExhausted
        /// The plugin's own cryptography failed.
        case internalError
    }

    /// What kind of refusal it is.
    public let code: Code
    /// What failed and what to do about it.
    public let message: String

    /// A refusal.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
