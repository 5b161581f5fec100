/// The first 16 bytes of a kekID, as they stand in each ciphertext: two words, so that looking a KEK up allocates
/// nothing.
public struct KEKPrefix: Sendable, Hashable {
    private let words: SIMD2<UInt64>

    /// The prefix of a KEK's ID.
    public init(_ id: KEKID) {
        words = id.bytes.withUnsafeBytes { KEKPrefix.words($0) }
    }

    /// The 16 bytes at the start of `bytes`; nil when there are fewer.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= KEKID.prefixSize else { return nil }
        words = KEKPrefix.words(bytes)
    }

    /// Of at least 16 bytes.
    private static func words(_ bytes: UnsafeRawBufferPointer) -> SIMD2<UInt64> {
        SIMD2(bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
}
