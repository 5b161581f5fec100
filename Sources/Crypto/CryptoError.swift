internal import COpenSSL

/// What went wrong in a cryptographic operation. Holds no key material.
public struct CryptoError: Error, Sendable, Equatable {
    /// The kinds of failure.
    public enum Code: String, Sendable {
        /// The secure heap could not be set up, or its memory could not be locked.
        case secureHeapUnavailable
        /// The secure heap is full.
        case secureHeapExhausted
        /// The authentication tag does not fit: wrong key, nonce, associated data or ciphertext.
        case authenticationFailed
        /// An argument has a length that the algorithm does not take.
        case invalidLength
        /// libcrypto refused a call.
        case library
    }

    /// The kind of failure.
    public let code: Code
    /// The call that failed: `EVP_MAC_init`.
    public let call: String
    /// libcrypto's own reasons, or what was expected.
    public let detail: String?

    /// An error of this module.
    public init(_ code: Code, _ call: String, detail: String? = nil) {
        self.code = code
        self.call = call
        self.detail = detail
    }

    /// The failure of a libcrypto call, with the thread's error queue drained into the detail.
    package static func library(_ call: String) -> CryptoError {
        var reasons: [String] = []
        while true {
            let code = ERR_get_error()
            guard code != 0, reasons.count < 8 else { break }
            var text = [CChar](repeating: 0, count: 256)
            ERR_error_string_n(code, &text, text.count)
            reasons.append(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
        }
        ERR_clear_error()
        return CryptoError(.library, call, detail: reasons.isEmpty ? nil : reasons.joined(separator: "; "))
    }
}

extension CryptoError: CustomStringConvertible {
    /// The call, what went wrong, and the detail.
    public var description: String {
        let what =
            switch code {
            case .secureHeapUnavailable: "secure memory is not available"
            case .secureHeapExhausted: "secure memory is exhausted"
            case .authenticationFailed: "authentication failed"
            case .invalidLength: "invalid length"
            case .library: "libcrypto refused the call"
            }
        guard let detail else { return "\(call): \(what)" }
        return "\(call): \(what) (\(detail))"
    }
}
