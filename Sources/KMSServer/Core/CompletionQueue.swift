internal import CGRPC

/// The queue in which core reports what has ended. Whoever waits on it also moves the bytes of its connections: core
/// polls sockets inside `next`.
final class CompletionQueue: @unchecked Sendable {
    // Sendable: core's queues may be used from any thread.
    let raw: OpaquePointer

    enum Event {
        /// The operation with this tag ended; `succeeded` as core defines it for the operation.
        case completed(tag: UnsafeMutableRawPointer, succeeded: Bool)
        case timeout
        /// Shut down, and empty.
        case end
    }

    init() {
        GRPCLibrary.start()
        raw = grpc_completion_queue_create_for_next(nil)
    }

    /// A queue must be shut down and read to its end before it goes.
    deinit { grpc_completion_queue_destroy(raw) }

    /// Waits for an event.
    func next(until deadline: gpr_timespec = GRPCTime.never) -> Event {
        let event = grpc_completion_queue_next(raw, deadline, nil)
        switch event.type {
        case GRPC_OP_COMPLETE:
            guard let tag = event.tag else { return .timeout }
            return .completed(tag: tag, succeeded: event.success != 0)
        case GRPC_QUEUE_SHUTDOWN: return .end
        default: return .timeout
        }
    }

    /// No new operations from now on; `next` answers `.end` once those under way have ended.
    func shutdown() { grpc_completion_queue_shutdown(raw) }
}
