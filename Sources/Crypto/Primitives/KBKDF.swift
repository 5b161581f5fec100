internal import COpenSSL

/// The key derivation function of SP 800-108 in counter mode, with HMAC; what TPM 2.0 calls KDFa.
public enum KBKDF {
    /// Derives `count` bytes: HMAC(key, [i]₃₂ ‖ label ‖ 0x00 ‖ context ‖ [L]₃₂), where i counts from 1 and L is the
    /// length of the result in bits, both 32 bits big-endian.
    public static func derive(
        from key: borrowing SecretBytes, label: String, context: [UInt8] = [], count: Int,
        hash: HashAlgorithm = .sha256
    ) throws(CryptoError) -> SecretBytes {
        try derive(
            from: key, label: Array(label.utf8), context: context, count: count, hash: hash, standardInput: true)
    }

    /// - Parameter standardInput: whether the separator and L are part of the input; the published vectors of NIST
    ///   give the whole fixed input instead.
    static func derive(
        from key: borrowing SecretBytes, label: [UInt8], context: [UInt8], count: Int, hash: HashAlgorithm = .sha256,
        standardInput: Bool
    ) throws(CryptoError) -> SecretBytes {
        guard let kdf = EVP_KDF_CTX_new(try Library.shared().kbkdf) else { throw .library("EVP_KDF_CTX_new") }
        defer { EVP_KDF_CTX_free(kdf) }
        let parameters = try key.withUnsafeBytes { (key) throws(CryptoError) in
            try withBytes(of: label, and: context) { (label, context) throws(CryptoError) in
                try Parameters { (builder) throws(CryptoError) in
                    try builder.text("mode", "counter")
                    try builder.text("mac", "HMAC")
                    try builder.text("digest", hash.name)
                    try builder.octets("key", key)
                    try builder.octets("salt", label)
                    try builder.octets("info", context)
                    try builder.integer("use-l", standardInput ? 1 : 0)
                    try builder.integer("use-separator", standardInput ? 1 : 0)
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

    private static func withBytes<Result: ~Copyable>(
        of a: [UInt8], and b: [UInt8],
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(CryptoError) -> Result
    ) throws(CryptoError) -> Result {
        try a.span.withUnsafeBytes { (a) throws(CryptoError) in
            try b.span.withUnsafeBytes { (b) throws(CryptoError) in try body(a, b) }
        }
    }
}
