import CGRPC
import CKMSProto
import Synchronization
import TestSupport

@testable import KMSServer

/// A client on gRPC's C core with one connection, for tests that need more than a well-behaved client does: raw bytes,
/// any method, cancellation.
final class TestClient: Sendable {
    /// How a call ended.
    struct Answer: Sendable, Equatable {
        let code: StatusCode
        let text: String
        let bytes: [UInt8]
    }

    private let channel: Channel
    private let queue = CompletionQueue()
    private let thread: ServerThread

    init(_ path: String, authority: String? = nil, compresses: Bool = false) throws {
        GRPCLibrary.start()
        channel = try Channel(path, authority: authority, compresses: compresses)
        let queue = queue
        thread = try ServerThread("test-client") {
            while case .completed(let tag, _) = queue.next() {
                Unmanaged<PendingCall>.fromOpaque(tag).takeRetainedValue().ended()
            }
        }
    }

    /// Closes the connection; calls under way end with an error.
    deinit {
        channel.close()
        queue.shutdown()
        _ = thread.join(until: .now + .seconds(20))
    }

    /// A whole call.
    func call(_ method: String, _ request: [UInt8] = [], timeout: Duration? = .seconds(20)) async throws -> Answer {
        try await start(method, request, timeout: timeout).answer
    }

    /// Begins a call.
    ///
    /// - Parameters:
    ///   - request: nil to send headers and nothing else.
    ///   - timeout: nil for a call without a deadline.
    func start(
        _ method: String, _ request: [UInt8]?, timeout: Duration? = .seconds(20)
    ) throws -> PendingCall {
        let deadline = timeout.map { GRPCTime.timespec(after: $0) } ?? GRPCTime.never
        let path = Slice(method.utf8)
        let call = path.withRaw { path in
            grpc_channel_create_call(channel.raw, nil, 0, queue.raw, path, nil, deadline, nil)
        }
        guard let call else { throw TestError("grpc_channel_create_call") }
        let pending = PendingCall(call)
        try pending.begin(request)
        return pending
    }

    private final class Channel: @unchecked Sendable {
        // Sendable: core's channels may be used from any thread; closed once, by the client's deinit.
        let raw: OpaquePointer

        init(_ path: String, authority: String?, compresses: Bool) throws {
            let target = path.hasPrefix("@") ? "unix-abstract:\(path.dropFirst())" : "unix:\(path)"
            let credentials = grpc_insecure_credentials_create()
            defer { grpc_channel_credentials_release(credentials) }
            // Subchannels are shared between channels of equal settings otherwise.
            let settings =
                (compresses ? ChannelArguments([GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM: 2]) : .lean)
                + ChannelArguments(["grpc.use_local_subchannel_pool": 1, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS: 100])
            let raw = settings.withRaw { raw -> OpaquePointer? in
                guard let authority else { return grpc_channel_create(target, credentials, raw) }
                return authority.withCString { text in
                    var arguments = Array(UnsafeBufferPointer(start: raw.pointee.args, count: raw.pointee.num_args))
                    return "grpc.default_authority".withCString { key in
                        arguments.append(
                            grpc_arg(
                                type: GRPC_ARG_STRING, key: UnsafeMutablePointer(mutating: key),
                                value: .init(string: UnsafeMutablePointer(mutating: text))))
                        return arguments.withUnsafeMutableBufferPointer { buffer in
                            var all = grpc_channel_args(num_args: buffer.count, args: buffer.baseAddress)
                            return grpc_channel_create(target, credentials, &all)
                        }
                    }
                }
            }
            guard let raw else { throw TestError("grpc_channel_create") }
            self.raw = raw
        }

        func close() { grpc_channel_destroy(raw) }
    }
}

/// A call of a `TestClient`.
final class PendingCall: @unchecked Sendable {
    // Sendable: core writes to `storage` until `ended`, and it is read only afterwards.

    private struct Storage {
        var status = GRPC_STATUS_UNKNOWN
        var details = grpc_slice()
        var message: UnsafeMutablePointer<grpc_byte_buffer>?
        var initial = grpc_metadata_array()
        var trailing = grpc_metadata_array()
    }

    private enum State {
        case running(CheckedContinuation<TestClient.Answer, Never>?)
        case ended(TestClient.Answer)
    }

    private let call: OpaquePointer
    private let storage: UnsafeMutablePointer<Storage>
    private let state = Mutex(State.running(nil))

    init(_ call: OpaquePointer) {
        self.call = call
        storage = .allocate(capacity: 1)
        storage.initialize(to: Storage())
        storage.pointee.details = grpc_empty_slice()
        grpc_metadata_array_init(&storage.pointee.initial)
        grpc_metadata_array_init(&storage.pointee.trailing)
    }

    deinit {
        grpc_metadata_array_destroy(&storage.pointee.initial)
        grpc_metadata_array_destroy(&storage.pointee.trailing)
        grpc_slice_unref(storage.pointee.details)
        if let message = storage.pointee.message { grpc_byte_buffer_destroy(message) }
        grpc_call_unref(call)
        storage.deallocate()
    }

    /// How it ended. To be asked for once.
    var answer: TestClient.Answer {
        get async {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> TestClient.Answer? in
                    if case .ended(let answer) = state { return answer }
                    state = .running(continuation)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        }
    }

    var isOver: Bool { state.withLock { if case .ended = $0 { true } else { false } } }

    /// Sends RST_STREAM.
    func cancel() { grpc_call_cancel(call, nil) }

    fileprivate func begin(_ request: [UInt8]?) throws {
        var operations: [grpc_op] = []
        func add(_ type: grpc_op_type, _ change: (inout grpc_op) -> Void = { _ in }) {
            var operation = grpc_op()
            operation.op = type
            change(&operation)
            operations.append(operation)
        }
        add(GRPC_OP_SEND_INITIAL_METADATA)
        var buffer: UnsafeMutablePointer<grpc_byte_buffer>?
        if let request {
            buffer = Slice(request).withRaw { slice in
                var slice = slice
                return grpc_raw_byte_buffer_create(&slice, 1)
            }
            add(GRPC_OP_SEND_MESSAGE) { $0.data.send_message.send_message = buffer }
            add(GRPC_OP_SEND_CLOSE_FROM_CLIENT)
        }
        let address = UnsafeMutableRawPointer(storage)
        func place<T>(_ path: PartialKeyPath<Storage>, _ type: T.Type) -> UnsafeMutablePointer<T>? {
            (address + (MemoryLayout<Storage>.offset(of: path) ?? 0)).assumingMemoryBound(to: type)
        }
        add(GRPC_OP_RECV_INITIAL_METADATA) {
            $0.data.recv_initial_metadata.recv_initial_metadata = place(\.initial, grpc_metadata_array.self)
        }
        add(GRPC_OP_RECV_MESSAGE) {
            $0.data.recv_message.recv_message = place(\.message, UnsafeMutablePointer<grpc_byte_buffer>?.self)
        }
        add(GRPC_OP_RECV_STATUS_ON_CLIENT) {
            $0.data.recv_status_on_client.trailing_metadata = place(\.trailing, grpc_metadata_array.self)
            $0.data.recv_status_on_client.status = place(\.status, grpc_status_code.self)
            $0.data.recv_status_on_client.status_details = place(\.details, grpc_slice.self)
        }
        let tag = Unmanaged.passRetained(self)
        let error = grpc_call_start_batch(call, operations, operations.count, tag.toOpaque(), nil)
        if let buffer { grpc_byte_buffer_destroy(buffer) }
        guard error == GRPC_CALL_OK else {
            tag.release()
            throw TestError("grpc_call_start_batch: \(error.rawValue)")
        }
    }

    fileprivate func ended() {
        var bytes: [UInt8] = []
        if let message = storage.pointee.message {
            storage.pointee.message = nil
            bytes = ByteBuffer(adopting: message).withBytes { $0.map(Array.init) ?? [] }
        }
        let text = Slice(adopting: grpc_slice_ref(storage.pointee.details)).withBytes {
            String(decoding: $0, as: UTF8.self)
        }
        let answer = TestClient.Answer(
            code: StatusCode(rawValue: storage.pointee.status.rawValue), text: text, bytes: bytes)
        let waiter = state.withLock { state -> CheckedContinuation<TestClient.Answer, Never>? in
            guard case .running(let waiter) = state else { return nil }
            state = .ended(answer)
            return waiter
        }
        waiter?.resume(returning: answer)
    }
}
