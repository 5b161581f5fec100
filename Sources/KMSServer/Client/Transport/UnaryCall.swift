internal import CGRPC
internal import Glibc

/// One call after the other in memory that is allocated once: a request, a response, a status.
///
/// At most one call is in flight: `start`, await its event at the queue, read the outcome, `reset`.
final class UnaryCall {
    /// Where gRPC writes; its addresses must not move.
    private struct Received {
        var initialMetadata = grpc_metadata_array()
        var trailingMetadata = grpc_metadata_array()
        var response: UnsafeMutablePointer<grpc_byte_buffer>?
        var status = GRPC_STATUS_UNKNOWN
        var details = grpc_slice()
    }

    private static let operationCount = 6
    private static let sendMessage = 1

    private let received: UnsafeMutablePointer<Received>
    private let operations: UnsafeMutablePointer<grpc_op>
    private var call: OpaquePointer?

    init() {
        received = .allocate(capacity: 1)
        received.initialize(to: Received())
        operations = .allocate(capacity: UnaryCall.operationCount)
        operations.initialize(repeating: grpc_op(), count: UnaryCall.operationCount)
        grpc_metadata_array_init(&received.pointee.initialMetadata)
        grpc_metadata_array_init(&received.pointee.trailingMetadata)
        received.pointee.details = grpc_empty_slice()
        prepare()
    }

    private func prepare() {
        let received = self.received
        operations[0].op = GRPC_OP_SEND_INITIAL_METADATA
        operations[UnaryCall.sendMessage].op = GRPC_OP_SEND_MESSAGE
        operations[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT
        operations[3].op = GRPC_OP_RECV_INITIAL_METADATA
        operations[4].op = GRPC_OP_RECV_MESSAGE
        operations[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT
        withUnsafeMutablePointer(to: &received.pointee.initialMetadata) {
            operations[3].data.recv_initial_metadata.recv_initial_metadata = $0
        }
        withUnsafeMutablePointer(to: &received.pointee.response) {
            operations[4].data.recv_message.recv_message = $0
        }
        withUnsafeMutablePointer(to: &received.pointee.trailingMetadata) {
            operations[5].data.recv_status_on_client.trailing_metadata = $0
        }
        withUnsafeMutablePointer(to: &received.pointee.status) { operations[5].data.recv_status_on_client.status = $0 }
        withUnsafeMutablePointer(to: &received.pointee.details) {
            operations[5].data.recv_status_on_client.status_details = $0
        }
    }

    deinit {
        // gRPC still writes into the memory of a call that was given up: it is left behind.
        guard call == nil else { return }
        grpc_metadata_array_destroy(&received.pointee.initialMetadata)
        grpc_metadata_array_destroy(&received.pointee.trailingMetadata)
        grpc_slice_unref(received.pointee.details)
        received.deallocate()
        operations.deallocate()
    }

    /// Sends the request. If false, there will be no event; else one with `tag`.
    func start(
        _ channel: ClientChannel, method: UnsafeMutableRawPointer, request: borrowing Slice,
        queue: CompletionQueue, deadline: gpr_timespec, tag: UnsafeMutableRawPointer?
    ) -> Bool {
        guard
            let call = grpc_channel_create_registered_call(channel.raw, nil, 0, queue.raw, method, deadline, nil)
        else { return false }
        self.call = call
        operations[UnaryCall.sendMessage].data.send_message.send_message = request.withRaw { slice in
            var slice = slice
            return grpc_raw_byte_buffer_create(&slice, 1)
        }
        guard grpc_call_start_batch(call, operations, UnaryCall.operationCount, tag, nil) == GRPC_CALL_OK else {
            reset()
            return false
        }
        return true
    }

    /// Ends the call early; its event comes nonetheless.
    func cancel() {
        if let call { grpc_call_cancel(call, nil) }
    }

    /// Of a call whose event has come.
    var status: StatusCode { StatusCode(rawValue: received.pointee.status.rawValue) }

    /// The server's words for the status, or gRPC's own; cleaned.
    var details: String {
        withUnsafePointer(to: &received.pointee.details) { slice in
            PeerText.clean(
                UnsafeRawBufferPointer(start: trousseau_slice_bytes(slice), count: trousseau_slice_length(slice)))
        }
    }

    /// Takes the response away; nil when there is none.
    func takeResponse() -> ByteBuffer? {
        defer { received.pointee.response = nil }
        return received.pointee.response.map { ByteBuffer(adopting: $0) }
    }

    /// Whether the response is exactly `expected`, in one piece.
    func responds(_ expected: [UInt8]) -> Bool {
        var count = 0
        guard let response = received.pointee.response, let slices = trousseau_buffer_slices(response, &count),
            count == 1, trousseau_slice_length(slices) == expected.count
        else { return false }
        return memcmp(trousseau_slice_bytes(slices), expected, expected.count) == 0
    }

    /// Frees what belongs to the call whose event has come.
    func reset() {
        if let call { grpc_call_unref(call) }
        call = nil
        if let request = operations[UnaryCall.sendMessage].data.send_message.send_message {
            grpc_byte_buffer_destroy(request)
        }
        operations[UnaryCall.sendMessage].data.send_message.send_message = nil
        if let response = received.pointee.response { grpc_byte_buffer_destroy(response) }
        received.pointee.response = nil
        grpc_slice_unref(received.pointee.details)
        received.pointee.details = grpc_empty_slice()
        received.pointee.status = GRPC_STATUS_UNKNOWN
        // Their elements were the call's.
        received.pointee.initialMetadata.count = 0
        received.pointee.trailingMetadata.count = 0
    }
}
