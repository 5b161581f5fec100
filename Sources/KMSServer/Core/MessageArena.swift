internal import CKMSProto
internal import Crypto

/// Memory for one message that protobuf-c takes apart: handed out from one block, given back and wiped all at once.
///
/// It bounds what a message of many small fields can cost: protobuf-c reports a message that does not fit as malformed.
final class MessageArena {
    /// In bytes. A Decrypt of 1 kB with 32 KiB of annotations takes less than half of it.
    static let capacity = 256 * 1024

    private struct State {
        let memory: UnsafeMutableRawBufferPointer
        var used = 0
    }

    private let state: UnsafeMutablePointer<State>
    private var allocator: ProtobufCAllocator

    init() {
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(memory: .allocate(byteCount: MessageArena.capacity, alignment: 16)))
        allocator = ProtobufCAllocator(
            alloc: { state, size in
                guard let state = state?.assumingMemoryBound(to: State.self) else { return nil }
                let start = (state.pointee.used + 15) & ~15
                guard size <= MessageArena.capacity - start else { return nil }
                state.pointee.used = start + size
                return state.pointee.memory.baseAddress.map { $0 + start }
            },
            free: { _, _ in },
            allocator_data: state)
    }

    deinit {
        state.pointee.memory.deallocate()
        state.deallocate()
    }

    /// Lends an allocator to `body`; what was allocated is wiped when it returns.
    func lend<R: ~Copyable>(_ body: (UnsafeMutablePointer<ProtobufCAllocator>) throws -> R) rethrows -> R {
        defer {
            SecretBytes.wipe(
                UnsafeMutableRawBufferPointer(rebasing: state.pointee.memory[..<state.pointee.used]))
            state.pointee.used = 0
        }
        return try body(&allocator)
    }
}

extension ProtobufCBinaryData {
    /// The field's bytes, as long as its message lives.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: data, count: len) }
}
