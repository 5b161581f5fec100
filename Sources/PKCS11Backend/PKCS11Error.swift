public import Keyring

/// Why a PKCS#11 token could not be used. Holds no PIN and no key material.
public struct PKCS11Error: Error, Sendable, Equatable {
    /// What kind of failure it is.
    public enum Code: String, Sendable {
        /// The configuration cannot be right: URI, paths, limits.
        case configuration
        /// The PIN file cannot be used: missing, too open, empty, too long.
        case pinSource
        /// The PIN was refused, or the guard holds it back.
        case pinBlocked
        /// The module, token or key is not there, or more than one answers.
        case notFound
        /// The key's attributes are unsafe or do not fit.
        case keyRefused
        /// A PKCS#11 function failed.
        case call
        /// A mechanism does not do on this token what it has to.
        case mechanism
        /// Memory, randomness or libcrypto of this process failed, not the token.
        case local
        /// A seal that does not parse, does not open, or names a mechanism that this version does not know.
        case seal
        /// No answer in time.
        case deadline
        /// The backend was shut down.
        case shutdown
    }

    /// What kind of failure it is.
    public let code: Code
    /// What the caller can do about it.
    public let errorClass: SealingError.Class
    /// What failed and why, lower case, no final period: `C_Login: CKR_PIN_INCORRECT (the PIN is wrong)`.
    public let message: String
    /// What to do about it.
    public let hint: String?
    /// How much has to be made anew.
    let level: RecoveryLevel

    /// An error of this module.
    init(
        _ code: Code, _ message: String, hint: String? = nil, errorClass: SealingError.Class = .operatorMustAct,
        level: RecoveryLevel = .request
    ) {
        self.code = code
        self.errorClass = errorClass
        self.message = message
        self.hint = hint
        self.level = level
    }

    /// As the sealing chain takes it.
    var sealingError: SealingError { SealingError(errorClass, message, hint: hint, cause: self) }
}

extension PKCS11Error: CustomStringConvertible {
    /// The message, and the hint after a semicolon.
    public var description: String {
        guard let hint else { return message }
        return "\(message); \(hint)"
    }
}
