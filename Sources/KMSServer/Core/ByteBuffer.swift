internal import CGRPC
internal import Crypto

/// One message as core sends and receives it: the owner of a `grpc_byte_buffer`.
struct ByteBuffer: ~Copyable {
    let raw: UnsafeMutablePointer<grpc_byte_buffer>

    /// Takes over a buffer that core made.
    init(adopting raw: UnsafeMutablePointer<grpc_byte_buffer>) { self.raw = raw }

    /// A message of one slice; core keeps a reference of its own.
    init(_ slice: borrowing Slice) {
        raw = slice.withRaw { slice in
            var slice = slice
            return grpc_raw_byte_buffer_create(&slice, 1)
        }
    }

    /// A message of two slices, one after the other.
    init(_ first: borrowing Slice, _ second: borrowing Slice) {
        raw = first.withRaw { first in
            second.withRaw { second in
                var slices = (first, second)
                return withUnsafeMutableBytes(of: &slices) { bytes in
                    grpc_raw_byte_buffer_create(bytes.baseAddress?.assumingMemoryBound(to: grpc_slice.self), 2)
                }
            }
        }
    }

    deinit { grpc_byte_buffer_destroy(raw) }

    /// Gives the buffer away without destroying it.
    consuming func release() -> UnsafeMutablePointer<grpc_byte_buffer> {
        let raw = raw
        discard self
        return raw
    }

    /// Shows the bytes of a received message; nil to `body` when its sender compressed it.
    ///
    /// - Parameter wiping: overwrite them afterwards. They lie in core's read buffer, in a part that core gave to this
    ///   message alone. What stays behind is listed in SECURITY.md: a message of at most 23 bytes was copied into the
    ///   slice itself, and the kernel's socket buffer is the kernel's.
    borrowing func withBytes<R: ~Copyable>(wiping: Bool = false, _ body: (UnsafeRawBufferPointer?) throws -> R) rethrows
        -> R
    {
        var count = 0
        guard let slices = trousseau_buffer_slices(raw, &count) else { return try body(nil) }
        let pieces = (0..<count).map { index in
            UnsafeMutableRawBufferPointer(
                start: UnsafeMutableRawPointer(mutating: trousseau_slice_bytes(slices + index)),
                count: trousseau_slice_length(slices + index))
        }
        defer {
            if wiping { for piece in pieces { SecretBytes.wipe(piece) } }
        }
        if pieces.count == 1 { return try body(UnsafeRawBufferPointer(pieces[0])) }
        // A message in several pieces is rare: it crossed the end of a read buffer or of a frame.
        let whole = UnsafeMutableRawBufferPointer.allocate(
            byteCount: pieces.reduce(0) { $0 + $1.count }, alignment: 16)
        var filled = 0
        for piece in pieces {
            UnsafeMutableRawBufferPointer(rebasing: whole[filled...]).copyMemory(from: UnsafeRawBufferPointer(piece))
            filled += piece.count
        }
        defer {
            if wiping { SecretBytes.wipe(whole) }
            whole.deallocate()
        }
        return try body(UnsafeRawBufferPointer(whole))
    }
}
