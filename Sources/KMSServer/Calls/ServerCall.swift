internal import CGRPC
internal import Synchronization

/// A call, from being asked for until core has let go of it; then it is used again.
final class ServerCall: @unchecked Sendable {
    // Sendable: only the queue's thread uses it, except between `deferred` and `sendReply`, when only the task does. What
    // both touch is in `task`.

    /// Where core puts what it has received: memory that stays where it is.
    private struct Storage {
        var call: OpaquePointer?
        var deadline = gpr_timespec()
        var metadata = grpc_metadata_array()
        var details = grpc_call_details()
        var payload: UnsafeMutablePointer<grpc_byte_buffer>?
        var isCancelled: Int32 = 0
    }

    /// What an event of this call is about; in the lowest bits of its tag.
    enum Step: UInt {
        /// The call has arrived.
        case requested = 0
        /// It is over for core: answered, cancelled or disconnected.
        case closed = 1
        /// The answer has been written, or dropped because nobody waits for it any more.
        case answered = 2
        /// A server has shut down; not about a call.
        case shutdown = 3

        static let mask: UInt = 3
    }

    /// The task of a call that is answered later.
    private struct Deferral {
        var task: Task<Void, Never>?
        var answer: UnsafeMutablePointer<grpc_byte_buffer>?
        var isOver = false
    }

    /// Index in the server's methods; one more than the last is for methods that it does not have.
    var method = 0
    /// When core handed it out, by `CallCounters.clock`.
    var arrival: UInt64 = 0
    unowned let server: CallServer
    private let storage: UnsafeMutablePointer<Storage>
    /// What core may still look at while it sends.
    private var answer: UnsafeMutablePointer<grpc_byte_buffer>?
    /// Whether core puts the path and the host into `details`: two references that are ours to give back.
    private var hasDetails = false
    /// How many events are still to come before core has let go.
    private var outstanding = 0
    private let deferral = Mutex(Deferral())

    init(_ server: CallServer) {
        self.server = server
        storage = .allocate(capacity: 1)
        storage.initialize(to: Storage())
        grpc_metadata_array_init(&storage.pointee.metadata)
        grpc_call_details_init(&storage.pointee.details)
    }

    deinit {
        grpc_metadata_array_destroy(&storage.pointee.metadata)
        grpc_call_details_destroy(&storage.pointee.details)
        storage.deallocate()
    }

    // MARK: Tags

    /// A tag for core. The server holds the call as long as core may hand the tag back.
    func tag(_ step: Step) -> UnsafeMutableRawPointer {
        // Objects are aligned to 16 bytes.
        Unmanaged.passUnretained(self).toOpaque() + Int(step.rawValue)
    }

    // MARK: Arrival

    /// Asks core for the next call of a method.
    func request(from server: OpaquePointer, _ registration: UnsafeMutableRawPointer, _ queue: CompletionQueue) -> Bool
    {
        storage.pointee.metadata.count = 0
        trousseau_tag_handed_over(tag(.requested))
        return grpc_server_request_registered_call(
            server, registration, &storage.pointee.call, &storage.pointee.deadline, &storage.pointee.metadata,
            &storage.pointee.payload, queue.raw, queue.raw, tag(.requested)) == GRPC_CALL_OK
    }

    /// Asks core for the next call of a method that is not registered.
    func requestUnknown(from server: OpaquePointer, _ queue: CompletionQueue) -> Bool {
        storage.pointee.metadata.count = 0
        hasDetails = true
        trousseau_tag_handed_over(tag(.requested))
        return grpc_server_request_call(
            server, &storage.pointee.call, &storage.pointee.details, &storage.pointee.metadata, queue.raw, queue.raw,
            tag(.requested)) == GRPC_CALL_OK
    }

    /// The request's message; nil when the client sent none.
    func takePayload() -> ByteBuffer? {
        guard let payload = storage.pointee.payload else { return nil }
        storage.pointee.payload = nil
        return ByteBuffer(adopting: payload)
    }

    /// When the client stops waiting; nil when it has not said.
    var deadline: ContinuousClock.Instant? { GRPCTime.instant(storage.pointee.deadline) }

    // MARK: Answer

    /// Answers at once: answer and end of the call are one batch, so core reports once.
    func send(_ reply: consuming Reply) -> StatusCode {
        outstanding = 1
        return start(reply, step: .answered, awaitingClose: true)
    }

    /// Has core report the end of a call that is answered later.
    func awaitClose() {
        outstanding = 2
        var operation = grpc_op()
        operation.op = GRPC_OP_RECV_CLOSE_ON_SERVER
        operation.data.recv_close_on_server.cancelled = cancelledPointer
        start(&operation, 1, step: .closed)
    }

    /// Answers after `awaitClose`, from any thread, once.
    func sendLater(_ reply: consuming Reply) -> StatusCode {
        start(reply, step: .answered, awaitingClose: false)
    }

    /// Remembers the task that will answer; cancels it if the call is over already.
    func attach(_ task: Task<Void, Never>) {
        let isOver = deferral.withLock { deferral in
            if !deferral.isOver { deferral.task = task }
            return deferral.isOver
        }
        if isOver { task.cancel() }
    }

    /// Nobody waits any more.
    func cancelTask() {
        let task = deferral.withLock { deferral in
            deferral.isOver = true
            return deferral.task.take()
        }
        task?.cancel()
    }

    private var cancelledPointer: UnsafeMutablePointer<Int32>? {
        UnsafeMutableRawPointer(storage).advanced(by: MemoryLayout<Storage>.offset(of: \.isCancelled) ?? 0)
            .assumingMemoryBound(to: Int32.self)
    }

    private func start(_ reply: consuming Reply, step: Step, awaitingClose: Bool) -> StatusCode {
        var code = StatusCode.ok
        var text: String?
        switch consume reply {
        case .message(let message): answer = message.release()
        case .failure(let failure, let reason): (code, text) = (failure, reason)
        case .later: (code, text) = (.internalError, "an answer was put off twice")
        }
        withUnsafeTemporaryAllocation(of: grpc_op.self, capacity: 4) { operations in
            operations.initialize(repeating: grpc_op())
            var count = 0
            operations[count].op = GRPC_OP_SEND_INITIAL_METADATA
            count += 1
            if let answer {
                operations[count].op = GRPC_OP_SEND_MESSAGE
                operations[count].data.send_message.send_message = answer
                count += 1
            }
            operations[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER
            operations[count].data.send_status_from_server.status = code.core
            let status = count
            count += 1
            if awaitingClose {
                operations[count].op = GRPC_OP_RECV_CLOSE_ON_SERVER
                operations[count].data.recv_close_on_server.cancelled = cancelledPointer
                count += 1
            }
            if let text {
                Slice(Reply.bounded(text).utf8).withRaw { details in
                    // Core takes a reference before the call returns.
                    var details = details
                    withUnsafeMutablePointer(to: &details) { details in
                        operations[status].data.send_status_from_server.status_details = details
                        start(operations.baseAddress, count, step: step)
                    }
                }
            } else {
                start(operations.baseAddress, count, step: step)
            }
        }
        return code
    }

    private func start(_ operations: UnsafePointer<grpc_op>?, _ count: Int, step: Step) {
        let call = storage.pointee.call
        trousseau_tag_handed_over(tag(step))
        let error = grpc_call_start_batch(call, operations, count, tag(step), nil)
        // Only a mistake of ours leads here. The step is reported by nobody then.
        if error != GRPC_CALL_OK { server.misused(self, step, error) }
    }

    // MARK: End

    /// Counts an event; true when core has let go of the call, which can be used again.
    func isOver(after step: Step) -> Bool {
        outstanding -= 1
        if step == .answered, let answer {
            grpc_byte_buffer_destroy(answer)
            self.answer = nil
        }
        guard outstanding <= 0 else { return false }
        if let call = storage.pointee.call {
            grpc_call_unref(call)
            storage.pointee.call = nil
        }
        if hasDetails {
            grpc_call_details_destroy(&storage.pointee.details)
            grpc_call_details_init(&storage.pointee.details)
            hasDetails = false
        }
        deferral.withLock { $0 = Deferral() }
        return true
    }
}
