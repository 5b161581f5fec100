internal import Crypto

/// What a server answered: it may hold a token or a KEK, so its memory is wiped when it grows or goes.
///
/// Ordinary memory, as libcurl's own buffers are; what is secret in it is copied into `SecretBytes` at once.
final class WipedBuffer: @unchecked Sendable {
    // Sendable: written by the transfer's thread alone, and only read once it was handed over.
    private var memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    let limit: Int

    /// Takes at most `limit` bytes.
    init(limit: Int) {
        self.limit = limit
        memory = .allocate(byteCount: min(limit, 2048), alignment: 1)
    }

    deinit {
        SecretBytes.wipe(memory)
        memory.deallocate()
    }

    /// False, and nothing taken, beyond the limit.
    func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count <= limit - count else { return false }
        if bytes.count > memory.count - count {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: min(limit, max(memory.count * 2, count + bytes.count)), alignment: 1)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<count]))
            SecretBytes.wipe(memory)
            memory.deallocate()
            memory = larger
        }
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: bytes)
        count += bytes.count
        return true
    }

    func withUnsafeBytes<R, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> R
    ) throws(Failure) -> R {
        try body(UnsafeRawBufferPointer(rebasing: memory[..<count]))
    }
}
