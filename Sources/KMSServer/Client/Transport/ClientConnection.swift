internal import CGRPC

/// A connection for one call at a time, each waited for by its caller.
final class ClientConnection {
    /// How long after its deadline gRPC may take to end a call.
    private static let grace = Duration.seconds(2)

    private let queue = CompletionQueue()
    private let channel: ClientChannel
    private let socket: String
    private let timeout: Duration

    /// Connects.
    ///
    /// - Parameter timeout: of the connecting, and then of each call.
    /// - Throws: `notReachable`, `resources`.
    init(socket: String, timeout: Duration) throws(ClientError) {
        channel = try ClientChannel(socket: socket, connectLimit: timeout)
        self.socket = PeerText.clean(Array(socket.utf8))
        self.timeout = timeout
    }

    deinit {
        queue.shutdown()
        // Only a call that gRPC did not end keeps the queue from its end; then the queue is left behind, too.
        while true {
            switch queue.next(until: GRPCTime.timespec(after: ClientConnection.grace)) {
            case .completed: continue
            case .end: return
            case .timeout:
                _ = Unmanaged.passRetained(queue)
                return
            }
        }
    }

    /// Calls `method` and shows the response to `read`, nil when that cannot read it.
    ///
    /// - Parameters:
    ///   - name: of the method, for errors.
    ///   - holdsSecret: wipe the response's memory.
    func call<Answer>(
        _ method: RPCMethod, _ request: borrowing Slice, holdsSecret: Bool = false,
        _ read: (UnsafeRawBufferPointer) -> Answer?
    ) throws(ClientError) -> Answer {
        guard let handle = channel.method(method.path) else {
            throw ClientError(.resources, "\(method.name): gRPC made no call")
        }
        let call = UnaryCall()
        let deadline = GRPCTime.timespec(after: timeout)
        guard
            call.start(
                channel, method: handle, request: request, queue: queue, deadline: deadline,
                tag: UnsafeMutableRawPointer(bitPattern: 1))
        else {
            throw ClientError(.resources, "\(method.name): gRPC made no call")
        }
        if !completes(within: timeout + ClientConnection.grace) {
            call.cancel()
            guard completes(within: ClientConnection.grace) else {
                throw ClientError(.deadlineExceeded, "\(method.name): gRPC does not end the call")
            }
        }
        defer { call.reset() }
        guard call.status == .ok else { throw failure(method, call) }
        if let response = call.takeResponse(),
            let answer = response.withBytes(wiping: holdsSecret, { $0.flatMap(read) })
        {
            return answer
        }
        throw ClientError(.invalidAnswer, "\(method.name): the answer is not a message of this API")
    }

    private func completes(within limit: Duration) -> Bool {
        if case .completed = queue.next(until: GRPCTime.timespec(after: limit)) { true } else { false }
    }

    private func failure(_ method: RPCMethod, _ call: UnaryCall) -> ClientError {
        let (status, details) = (call.status, call.details)
        let message = "\(method.name): \(status.name)"
        switch status {
        case .deadlineExceeded:
            return ClientError(
                .deadlineExceeded, "\(message): no answer within \(ClientConnection.text(timeout))",
                hint: "the plugin is busy or hangs: see its log")
        case .unavailable where channel.isClosed:
            return ClientError(
                .refused, "\(message): the plugin closed the connection",
                hint: "it may not let this user in, or it has just ended: see its log")
        case .unimplemented:
            return ClientError(.unimplemented, "\(message): the plugin does not have this API")
        default:
            return ClientError(.refused, details.isEmpty ? message : "\(message): \(details)")
        }
    }

    private static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        return milliseconds == 0 ? "\(seconds) s" : "\(seconds * 1000 + milliseconds) ms"
    }
}

/// A method of a service.
struct RPCMethod {
    /// As errors call it.
    let name: String
    /// As gRPC calls it, such as `/v2.KeyManagementService/Status`.
    let path: String

    static let status = RPCMethod(name: "Status", path: "/v2.KeyManagementService/Status")
    static let encrypt = RPCMethod(name: "Encrypt", path: "/v2.KeyManagementService/Encrypt")
    static let decrypt = RPCMethod(name: "Decrypt", path: "/v2.KeyManagementService/Decrypt")
    static let v1Version = RPCMethod(name: "v1beta1 Version", path: "/v1beta1.KeyManagementService/Version")
    static let v1Encrypt = RPCMethod(name: "v1beta1 Encrypt", path: "/v1beta1.KeyManagementService/Encrypt")
    static let v1Decrypt = RPCMethod(name: "v1beta1 Decrypt", path: "/v1beta1.KeyManagementService/Decrypt")
    static let controlStatus = RPCMethod(name: "Status", path: "/trousseau.control.v1.Control/Status")
    static let controlReseal = RPCMethod(name: "Reseal", path: "/trousseau.control.v1.Control/Reseal")
    static let controlStop = RPCMethod(name: "Stop", path: "/trousseau.control.v1.Control/Stop")
}
