internal import Crypto

/// Why bytes are not the TPM structure that they should be, or why one could not be made here, without the TPM.
struct TPMFormatError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it is.
    enum Code: String, Sendable {
        /// Cut short, with bytes left over, or with values that cannot be.
        case malformed
        /// Valid, perhaps, but nothing that this backend uses: another curve, another algorithm.
        case unsupported
        /// libcrypto or the secure heap failed; not the input's fault.
        case cryptography
    }

    let code: Code
    /// Lower case, without a final period.
    let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ error: CryptoError) {
        self.init(.cryptography, "\(error)")
    }

    var description: String { message }
}
