internal import COpenSSL

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
    /// 32 bytes.
    public static let size = 32

    /// The 32-byte digest of `message`.
    public static func hash(_ message: [UInt8]) throws(CryptoError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: size)
        var written: UInt32 = 0
        guard EVP_Digest(message, message.count, &digest, &written, try Library.shared().sha256, nil) == 1,
            written == size
        else { throw .library("EVP_Digest") }
        return digest
    }
}

/// HMAC-SHA256 (RFC 2104, FIPS 198-1).
public enum HMACSHA256 {
    /// 32 bytes.
    public static let size = 32

    /// The 32-byte MAC of `message`.
    public static func authenticate(_ message: [UInt8], key: borrowing SecretBytes) throws(CryptoError) -> [UInt8] {
        try HMAC.authenticate(message, key: key, hash: .sha256)
    }

    /// Whether `mac` is that of `message`; compared in constant time.
    public static func verify(
        _ mac: [UInt8], of message: [UInt8], key: borrowing SecretBytes
    ) throws(CryptoError) -> Bool {
        ConstantTime.equal(mac, try authenticate(message, key: key))
    }
}
