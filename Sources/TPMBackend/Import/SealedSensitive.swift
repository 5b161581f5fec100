internal import Crypto

/// The secret half of a sealed object: TPM2B(TPMT_SENSITIVE) with an empty auth value (part 2, 12.3), in secure memory.
struct SealedSensitive: ~Copyable {
    /// 32 bytes of randomness that hide the secret in `unique`; as long as a SHA-256 digest, the object's nameAlg.
    static let seedSize = 32
    /// Two sizes and the type, one size before the seed, one before the secret.
    private static let seedOffset = 8
    private static let headSize = seedOffset + seedSize + 2

    /// The TPM2B_SENSITIVE.
    let bytes: SecretBytes
    /// H(seedValue ‖ secret), by which the public area commits to it.
    let unique: [UInt8]

    /// How many bytes it has for a secret of `count` bytes.
    static func size(of count: Int) -> Int { headSize + count }

    /// - Parameter secret: at most 128 bytes, as a TPM takes.
    /// - Throws: `invalidLength`, `secureHeapExhausted`, `library`.
    init(_ secret: UnsafeRawBufferPointer) throws(CryptoError) {
        guard 1...128 ~= secret.count else { throw CryptoError(.invalidLength, "SealedSensitive") }
        let total = SealedSensitive.size(of: secret.count)
        let head = TPMWriter.bytes { writer in
            writer.integer(UInt16(truncatingIfNeeded: total - 2))
            writer.integer(TPMAlgorithm.keyedHash)
            writer.integer(UInt16(0))
            writer.integer(UInt16(SealedSensitive.seedSize))
        }
        let count = TPMWriter.bytes { $0.integer(UInt16(truncatingIfNeeded: secret.count)) }
        let seed = try SecretBytes(randomCount: SealedSensitive.seedSize)
        let bytes = try SecretBytes(count: total) { (memory) throws(CryptoError) in
            let rest = memory.fill(from: head)
            let afterSeed = seed.withUnsafeBytes { rest.fill(from: $0) }
            _ = afterSeed.fill(from: count).fill(from: secret)
        }
        let committed = try SecretBytes(count: seed.count + secret.count) { (memory) throws(CryptoError) in
            _ = seed.withUnsafeBytes { memory.fill(from: $0) }.fill(from: secret)
        }
        unique = try committed.withUnsafeBytes { (bytes) throws(CryptoError) in try HashAlgorithm.sha256.hash(bytes) }
        self.bytes = bytes
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Copies `bytes` to the start and returns what is behind them.
    fileprivate func fill(from bytes: some Collection<UInt8>) -> UnsafeMutableRawBufferPointer {
        copyBytes(from: bytes)
        return UnsafeMutableRawBufferPointer(rebasing: self[bytes.count...])
    }
}
