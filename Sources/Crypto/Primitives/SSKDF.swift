internal import COpenSSL

/// The single-step key derivation function of SP 800-56C with a hash function; what TPM 2.0 calls KDFe.
public enum SSKDF {
    /// Derives `count` bytes: H([i]₃₂ ‖ secret ‖ info), where i counts from 1, 32 bits big-endian.
    public static func derive(
        from secret: borrowing SecretBytes, info: [UInt8], count: Int, hash: HashAlgorithm
    ) throws(CryptoError) -> SecretBytes {
        guard let algorithm = EVP_KDF_fetch(try Library.shared().context, "SSKDF", nil) else {
            throw .library("EVP_KDF_fetch")
        }
        defer { EVP_KDF_free(algorithm) }
        guard let kdf = EVP_KDF_CTX_new(algorithm) else { throw .library("EVP_KDF_CTX_new") }
        defer { EVP_KDF_CTX_free(kdf) }
        let parameters = try secret.withUnsafeBytes { (secret) throws(CryptoError) in
            try info.span.withUnsafeBytes { (info) throws(CryptoError) in
                try Parameters { (builder) throws(CryptoError) in
                    try builder.text("digest", hash.name)
                    try builder.octets("key", secret)
                    try builder.octets("info", info)
                }
            }
        }
        return try SecretBytes(count: count) { (output) throws(CryptoError) in
            guard
                EVP_KDF_derive(
                    kdf, output.assumingMemoryBound(to: UInt8.self).baseAddress, output.count, parameters.raw) == 1
            else { throw .library("EVP_KDF_derive") }
        }
    }
}
