internal import CGRPC
internal import Keyring
internal import Synchronization

/// One gRPC server of core with its methods. Two of them share a queue: what is registered with the one cannot be
/// called through a connection of the other.
///
/// Methods are called on the queue's thread. A call that is answered at once costs two events: its arrival together
/// with its message, and the end of its answer.
final class CallServer: @unchecked Sendable {
    // Sendable: `methods`, `registrations` and the free calls are only used on the queue's thread after `start`; the
    // rest does not change or has a lock.

    /// Calls that core may hand out at once, a method: what arrives beyond them waits inside core for the next round.
    private static let requestsPerMethod = 8
    /// Calls kept for the next requests.
    private static let freeLimit = 256

    let counters: CallCounters
    private let raw: OpaquePointer
    private let queue: CompletionQueue
    private let methods: [Method]
    private let registrations: [UnsafeMutableRawPointer]
    private let timeout: Duration
    private let log: Log
    private var free: [ServerCall] = []
    /// Set when core has let go of all connections after `shutdown`.
    let isShutDown: Event

    /// - Parameters:
    ///   - timeout: for a call that is answered later and has no deadline.
    ///   - deferredLimit: how many calls may be answered later at a time.
    init(
        _ methods: [Method], _ arguments: ChannelArguments, _ queue: CompletionQueue, timeout: Duration,
        deferredLimit: Int, log: Log
    ) throws(ServerError) {
        self.methods = methods
        self.queue = queue
        self.timeout = timeout
        self.log = log
        counters = try CallCounters(methods.map(\.path), deferredLimit: deferredLimit)
        isShutDown = try Event()
        let server = arguments.withRaw { grpc_server_create($0, nil) }
        guard let server else {
            throw ServerError(.system, "gRPC core", "no server was made", hint: "see the log for core's own message")
        }
        raw = server
        grpc_server_register_completion_queue(server, queue.raw, nil)
        registrations = methods.compactMap { method in
            // No host: `:authority` may be anything. Clients send localhost, or the socket's path in some encoding.
            grpc_server_register_method(server, method.path, nil, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0)
        }
    }

    /// To be called only after `isShutDown`, or before `start`.
    deinit { grpc_server_destroy(raw) }

    /// Begins to answer. The queue's thread must not run yet.
    func start() {
        grpc_server_start(raw)
        for method in 0...methods.count {
            for _ in 0..<(method < methods.count ? CallServer.requestsPerMethod : 1) { request(method) }
        }
    }

    /// Takes a connected socket over. Any thread.
    func serve(_ descriptor: Int32, _ credentials: OpaquePointer) {
        grpc_server_add_channel_from_fd(raw, descriptor, credentials)
    }

    /// No new calls; `counters.drained` is set when none is under way, `isShutDown` when the connections are closed too.
    func shutdown() {
        counters.drain()
        let tag = Unmanaged.passUnretained(self).toOpaque() + Int(ServerCall.Step.shutdown.rawValue)
        trousseau_tag_handed_over(tag)
        grpc_server_shutdown_and_notify(raw, queue.raw, tag)
    }

    /// Ends all calls and connections. Only after `shutdown`.
    func cancelAll() { grpc_server_cancel_all_calls(raw) }

    // MARK: The queue's thread

    /// Deals with a queue's event, whichever server it belongs to.
    static func handle(_ tag: UnsafeMutableRawPointer, succeeded: Bool) {
        let bits = UInt(bitPattern: tag)
        guard
            let step = ServerCall.Step(rawValue: bits & ServerCall.Step.mask),
            let object = UnsafeRawPointer(bitPattern: bits & ~ServerCall.Step.mask)
        else { return }
        if step == .shutdown {
            Unmanaged<CallServer>.fromOpaque(object).takeUnretainedValue().isShutDown.set()
            return
        }
        let call = Unmanaged<ServerCall>.fromOpaque(object).takeUnretainedValue()
        let server = call.server
        switch step {
        case .requested: server.arrived(call, succeeded)
        case .closed:
            call.cancelTask()
            server.reported(call, step)
        case .answered: server.reported(call, step)
        case .shutdown: break
        }
    }

    private func request(_ method: Int) {
        let call = free.popLast() ?? ServerCall(self)
        // Core holds the call by its tag until `recycle`.
        _ = Unmanaged.passRetained(call)
        call.method = method
        let isAsked =
            method < registrations.count
            ? call.request(from: raw, registrations[method], queue) : call.requestUnknown(from: raw, queue)
        if !isAsked { recycle(call) }
    }

    private func arrived(_ call: ServerCall, _ succeeded: Bool) {
        // Not so after a shutdown only.
        guard succeeded else { return recycle(call) }
        call.arrival = CallCounters.clock
        let method = call.method
        request(method)
        counters.began()
        guard method < methods.count else {
            return answer(call, .failure(.unimplemented, "no such method: this is a KMS plugin (v2 and v1beta1)"))
        }
        let reply: Reply
        if let payload = call.takePayload() {
            reply = payload.withBytes(wiping: methods[method].isSecret) { bytes in
                guard let bytes else { return .failure(.unimplemented, "compressed messages are not served") }
                return methods[method].answer(bytes)
            }
        } else {
            reply = .failure(.invalidArgument, "the request has no message")
        }
        answer(call, reply)
    }

    private func answer(_ call: ServerCall, _ reply: consuming Reply) {
        switch consume reply {
        case .later(let body): answerLater(call, body)
        case let reply: counters.answered(call.method, call.send(reply), arrival: call.arrival)
        }
    }

    private func answerLater(
        _ call: ServerCall, _ body: @escaping @Sendable (ContinuousClock.Instant) async -> Reply
    ) {
        guard counters.takePlace() else {
            let failure = Reply.failure(.resourceExhausted, "too many requests wait already; try again later")
            counters.answered(call.method, call.send(failure), arrival: call.arrival)
            return
        }
        let deadline = call.deadline ?? .now + timeout
        let (method, arrival, counters) = (call.method, call.arrival, counters)
        call.awaitClose()
        let task = Task {
            let reply = await body(deadline)
            counters.leavePlace()
            counters.answered(method, call.sendLater(reply), arrival: arrival)
        }
        call.attach(task)
    }

    private func reported(_ call: ServerCall, _ step: ServerCall.Step) {
        guard call.isOver(after: step) else { return }
        counters.ended()
        recycle(call)
    }

    private func recycle(_ call: ServerCall) {
        if free.count < CallServer.freeLimit { free.append(call) }
        Unmanaged.passUnretained(call).release()
    }

    /// A batch was refused: nothing will be reported about it.
    func misused(_ call: ServerCall, _ step: ServerCall.Step, _ error: grpc_call_error) {
        let text = grpc_call_error_to_string(error).map { String(cString: $0) } ?? "error \(error.rawValue)"
        log(.error, "gRPC core refused an operation", ("error", text))
    }
}
