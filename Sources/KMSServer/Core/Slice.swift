internal import CGRPC
internal import Crypto
internal import Glibc

/// One reference to a piece of memory that core counts references to.
struct Slice: ~Copyable {
    private let raw: grpc_slice

    /// Takes over one reference.
    init(adopting raw: grpc_slice) { self.raw = raw }

    /// A copy of `bytes`.
    init(_ bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        raw = bytes.withUnsafeBytes { buffer in
            grpc_slice_from_copied_buffer(buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        }
    }

    /// `count` bytes, all of them written by `body`.
    init(count: Int, filledBy body: (UnsafeMutableRawBufferPointer) -> Void) {
        // A short slice holds its bytes itself.
        var slice = grpc_slice_malloc(count)
        withUnsafeMutablePointer(to: &slice) { pointer in
            body(
                UnsafeMutableRawBufferPointer(
                    start: UnsafeMutableRawPointer(mutating: trousseau_slice_bytes(pointer)), count: count))
        }
        raw = slice
    }

    /// `count` bytes written by `body`, wiped when core has let go of the last reference. Core never copies them
    /// before they reach the kernel: only slices without a counter are copied by value.
    init(secretCount count: Int, filledBy body: (UnsafeMutableRawBufferPointer) -> Void) {
        // The length stands before the bytes, for the function that wipes them.
        let header = MemoryLayout<Int>.size
        let memory = UnsafeMutableRawPointer.allocate(byteCount: header + count, alignment: 16)
        memory.storeBytes(of: count, as: Int.self)
        let bytes = UnsafeMutableRawBufferPointer(start: memory + header, count: count)
        body(bytes)
        raw = grpc_slice_new_with_user_data(
            bytes.baseAddress, count,
            { memory in
                guard let memory else { return }
                let count = memory.load(as: Int.self)
                SecretBytes.wipe(
                    UnsafeMutableRawBufferPointer(start: memory + MemoryLayout<Int>.size, count: count))
                memory.deallocate()
            }, memory)
    }

    deinit { grpc_slice_unref(raw) }

    /// One more reference, which the caller owns.
    borrowing func retained() -> grpc_slice { grpc_slice_ref(raw) }

    /// The slice as core's functions take it, valid as long as this value lives.
    borrowing func withRaw<R: ~Copyable>(_ body: (grpc_slice) throws -> R) rethrows -> R { try body(raw) }

    /// In bytes.
    var count: Int { withBytes { $0.count } }

    /// Shows the bytes.
    borrowing func withBytes<R: ~Copyable>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withUnsafePointer(to: raw) { pointer in
            try body(
                UnsafeRawBufferPointer(start: trousseau_slice_bytes(pointer), count: trousseau_slice_length(pointer)))
        }
    }
}
