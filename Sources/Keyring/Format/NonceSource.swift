internal import Crypto
internal import Synchronization

/// Random nonces of 24 bytes, each given out once. They come from the DRBG 64 at a time: one call of it costs as much as
/// half an encryption, and a system call. Nonces are public, so that those in stock are no secrets.
final class NonceSource: Sendable {
    private static let batch = 64

    private struct Stock {
        var bytes: [UInt8] = []
        var used = 0
    }

    private let stock = Mutex(Stock())

    /// Writes the next nonce.
    ///
    /// - Throws: `library` when the DRBG fails; nothing of an earlier nonce is given out then.
    func fill(_ nonce: UnsafeMutableRawBufferPointer) throws(CryptoError) {
        try stock.withLock { (stock: inout Stock) throws(CryptoError) in
            if stock.used + nonce.count > stock.bytes.count {
                stock.bytes = try Random.bytes(NonceSource.batch * nonce.count)
                stock.used = 0
            }
            nonce.copyBytes(from: stock.bytes[stock.used..<(stock.used + nonce.count)])
            stock.used += nonce.count
        }
    }
}
