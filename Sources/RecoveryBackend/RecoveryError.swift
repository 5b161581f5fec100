internal import Crypto
public import Keyring

/// Why a recovery key could not be used. Holds no passphrase and no key material.
public struct RecoveryError: Error, Sendable, Equatable {
    /// What kind of failure it is.
    public enum Code: String, Sendable {
        /// The configuration cannot be right.
        case configuration
        /// The file is missing, too long, others may write to it, or it holds something else.
        case keyFile
        /// The key is of a type or size that is not taken.
        case keyRefused
        /// The private key wants a passphrase, or another one.
        case passphrase
        /// A seal that does not parse or does not open.
        case seal
        /// The recipient is another key than the one in the file, or the private half is not here.
        case recipient
        /// No time was left for the call.
        case deadline
        /// The backend was shut down.
        case shutdown
        /// libcrypto failed.
        case cryptography
    }

    /// What kind of failure it is.
    public let code: Code
    /// What the caller can do about it.
    public let errorClass: SealingError.Class
    /// What failed and why, lower case, without a final period.
    public let message: String
    /// What to do about it.
    public let hint: String?

    init(
        _ code: Code, _ message: String, hint: String? = nil, errorClass: SealingError.Class = .operatorMustAct
    ) {
        self.code = code
        self.errorClass = errorClass
        self.message = message
        self.hint = hint
    }

    /// A failure of libcrypto that is not the input's fault.
    init(_ error: CryptoError) {
        self.init(.cryptography, "\(error)", errorClass: .retry)
    }

    /// The failure of a libcrypto call, with the thread's error queue drained into the message.
    static func library(_ call: String) -> RecoveryError { RecoveryError(.library(call)) }

    /// As the sealing chain takes it.
    var sealingError: SealingError { SealingError(errorClass, message, hint: hint, cause: self) }
}

extension RecoveryError: CustomStringConvertible {
    /// The message, and the hint after a semicolon.
    public var description: String {
        guard let hint else { return message }
        return "\(message); \(hint)"
    }
}
