internal import COpenSSL

/// OpenSSL's DRBG (SP 800-90A CTR_DRBG, seeded by the kernel) in our own library context.
public enum Random {
    /// `count` random bytes for public values: nonces, identifiers.
    public static func bytes(_ count: Int) throws(CryptoError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard RAND_bytes_ex(try Library.shared().context, &bytes, count, 256) == 1 else {
            throw .library("RAND_bytes_ex")
        }
        return bytes
    }

    /// Fills `memory` with random bytes for public values.
    public static func fill(_ memory: UnsafeMutableRawBufferPointer) throws(CryptoError) {
        let bytes = memory.assumingMemoryBound(to: UInt8.self).baseAddress
        guard RAND_bytes_ex(try Library.shared().context, bytes, memory.count, 256) == 1 else {
            throw .library("RAND_bytes_ex")
        }
    }

    /// Fills `memory` from the DRBG that OpenSSL keeps apart for secrets.
    static func fillPrivate(_ memory: UnsafeMutableRawBufferPointer) throws(CryptoError) {
        let bytes = memory.assumingMemoryBound(to: UInt8.self).baseAddress
        guard RAND_priv_bytes_ex(try Library.shared().context, bytes, memory.count, 256) == 1 else {
            throw .library("RAND_priv_bytes_ex")
        }
    }
}
