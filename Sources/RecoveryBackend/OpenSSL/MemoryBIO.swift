internal import COpenSSL
internal import Crypto

/// A BIO over memory.
struct MemoryBIO: ~Copyable {
    let raw: OpaquePointer

    /// An empty one to write to. With `secret` its memory is on the secure heap and wiped with it.
    init(secret: Bool) throws(RecoveryError) {
        guard let raw = BIO_new(secret ? BIO_s_secmem() : BIO_s_mem()) else { throw .library("BIO_new") }
        self.raw = raw
    }

    /// One that reads `bytes`, which have to outlive it.
    init(reading bytes: UnsafeRawBufferPointer) throws(RecoveryError) {
        guard let count = Int32(exactly: bytes.count), let raw = BIO_new_mem_buf(bytes.baseAddress, count) else {
            throw .library("BIO_new_mem_buf")
        }
        self.raw = raw
    }

    deinit { BIO_free(raw) }

    /// Shows what was written.
    borrowing func withWritten<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var data: UnsafeMutablePointer<CChar>?
        let count = trousseau_bio_memory(raw, &data)
        return try body(UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : max(0, count)))
    }

    /// A copy of what was written.
    borrowing func written() -> [UInt8] { withWritten { Array($0) } }
}
