internal import COpenSSL

/// OpenSSL's DRBG (SP 800-90A CTR_DRBG, seeded by the kernel) in our own library context.
///
/// Not by RAND_bytes_ex: before it looks at the context, that asks for the process's RAND_METHOD, which an engine of
/// another library in the process may have replaced (SoftHSM does so with rdrand).
public enum Random {
    /// The security strength asked of the DRBG, in bits.
    private static let strength: UInt32 = 256

    /// `count` random bytes for public values: nonces, identifiers.
    public static func bytes(_ count: Int) throws(CryptoError) -> [UInt8] {
        guard count >= 0 else { throw CryptoError(.invalidLength, "EVP_RAND_generate", detail: "\(count) bytes") }
        var bytes = [UInt8](repeating: 0, count: count)
        try generate(RAND_get0_public(try Library.shared().context), &bytes, count)
        return bytes
    }

    /// Fills `memory` with random bytes for public values.
    public static func fill(_ memory: UnsafeMutableRawBufferPointer) throws(CryptoError) {
        try generate(RAND_get0_public(try Library.shared().context), memory.baseAddress, memory.count)
    }

    /// Fills `memory` from the DRBG that OpenSSL keeps apart for secrets.
    static func fillPrivate(_ memory: UnsafeMutableRawBufferPointer) throws(CryptoError) {
        try generate(RAND_get0_private(try Library.shared().context), memory.baseAddress, memory.count)
    }

    /// - Parameter drbg: the calling thread's; owned by the library context.
    private static func generate(
        _ drbg: OpaquePointer?, _ memory: UnsafeMutableRawPointer?, _ count: Int
    ) throws(CryptoError) {
        guard let drbg else { throw .library("RAND_get0") }
        guard count > 0 else { return }
        let bytes = memory?.assumingMemoryBound(to: UInt8.self)
        guard EVP_RAND_generate(drbg, bytes, count, strength, 0, nil, 0) == 1 else {
            throw .library("EVP_RAND_generate")
        }
    }
}
