internal import Crypto
internal import Keyring

/// Why a policy on PCRs cannot be made or cannot be fulfilled. Holds nothing secret.
struct PolicyError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it is.
    enum Code: String, Sendable {
        /// The configuration cannot be right: a text, a bank, values.
        case configuration
        /// A file of signatures or a public key is missing, or is not what it should be.
        case file
        /// The TPM's state does not fit the policy, or nothing approves it.
        case state
        /// libcrypto failed; not the input's fault.
        case cryptography
    }

    let code: Code
    /// Lower case, without a final period; names files and PCRs.
    let message: String
    /// What to do about it.
    let hint: String?

    init(_ code: Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    init(_ error: CryptoError) {
        self.init(.cryptography, "\(error)")
    }

    var description: String {
        guard let hint else { return message }
        return "\(message); \(hint)"
    }
}

extension TPMError {
    /// As this module's own.
    init(_ error: PolicyError) {
        switch error.code {
        case .configuration: self.init(.configuration, error.message, hint: error.hint)
        case .file: self.init(.policy, error.message, hint: error.hint)
        case .state: self.init(.policy, error.message, hint: error.hint, errorClass: .permanent)
        case .cryptography: self.init(.local, error.message, errorClass: .retry)
        }
    }
}
