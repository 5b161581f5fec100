internal import COpenSSL

/// HMAC (RFC 2104, FIPS 198-1) with a hash function of choice.
public enum HMAC {
    /// The MAC of `message`, as long as the hash function's digest.
    public static func authenticate(
        _ message: [UInt8], key: borrowing SecretBytes, hash: HashAlgorithm
    ) throws(CryptoError) -> [UInt8] {
        guard let context = EVP_MAC_CTX_new(try Library.shared().hmac) else { throw .library("EVP_MAC_CTX_new") }
        defer { EVP_MAC_CTX_free(context) }
        var mac = [UInt8](repeating: 0, count: hash.size)
        var written = 0
        let parameters = try Parameters { (builder) throws(CryptoError) in try builder.text("digest", hash.name) }
        let initialized = key.withUnsafeBytes { key in
            EVP_MAC_init(context, key.assumingMemoryBound(to: UInt8.self).baseAddress, key.count, parameters.raw)
        }
        guard initialized == 1 else { throw .library("EVP_MAC_init") }
        guard EVP_MAC_update(context, message, message.count) == 1 else { throw .library("EVP_MAC_update") }
        guard EVP_MAC_final(context, &mac, &written, mac.count) == 1, written == hash.size else {
            throw .library("EVP_MAC_final")
        }
        return mac
    }
}
