internal import COpenSSL

/// AES in 128-bit cipher feedback mode (SP 800-38A), as TPM 2.0 protects what leaves it. It hides and does not
/// authenticate: a MAC over the ciphertext has to.
public enum AESCFB {
    /// Encrypts under an IV of zeros, so that no key may be used twice; the result is as long as the plaintext.
    ///
    /// - Parameter key: 16, 24 or 32 bytes.
    /// - Throws: `invalidLength`, or `library`.
    public static func encryptOnce(
        _ plaintext: borrowing SecretBytes, key: borrowing SecretBytes
    ) throws(CryptoError) -> [UInt8] {
        guard [16, 24, 32].contains(key.count) else { throw CryptoError(.invalidLength, "AESCFB", detail: "key") }
        guard
            let algorithm = EVP_CIPHER_fetch(try Library.shared().context, "AES-\(key.count * 8)-CFB", nil)
        else { throw .library("EVP_CIPHER_fetch") }
        defer { EVP_CIPHER_free(algorithm) }
        let cipher = try CipherContext()
        let iv = [UInt8](repeating: 0, count: 16)
        try iv.span.withUnsafeBytes { (iv) throws(CryptoError) in
            try key.withUnsafeBytes { (key) throws(CryptoError) in
                try cipher.initialize(algorithm, key: key.baseAddress, iv: iv.baseAddress, .encrypt)
            }
        }
        var ciphertext = [UInt8](repeating: 0, count: plaintext.count)
        var span = ciphertext.mutableSpan
        try span.withUnsafeMutableBytes { (output) throws(CryptoError) in
            try plaintext.withUnsafeBytes { (plaintext) throws(CryptoError) in
                try cipher.update(plaintext, into: output.baseAddress)
            }
        }
        return ciphertext
    }
}
