/// One connection of a load generator, which it makes again when the server has closed it.
final class LoadConnection {
    /// How long a server may let a connection wait: the generator's only thread waits meanwhile.
    private static let connectLimit = Duration.milliseconds(200)

    private let socket: String
    private let path: String
    private var current: (channel: ClientChannel, method: UnsafeMutableRawPointer)?
    private var nextAttempt = ContinuousClock.now

    /// Connects.
    ///
    /// - Throws: `notReachable`, `resources`.
    init(socket: String, method: RPCMethod) throws(ClientError) {
        self.socket = socket
        path = method.path
        try connect()
    }

    /// Where a call can be made; nil while it is too early to connect again.
    ///
    /// - Throws: `notReachable`, `resources` when it tried to and could not.
    func channel(retryAfter delay: Duration) throws(ClientError) -> (
        channel: ClientChannel, method: UnsafeMutableRawPointer
    )? {
        if let current { return current }
        guard nextAttempt <= .now else { return nil }
        nextAttempt = .now + delay
        try connect()
        return current
    }

    /// After a call that failed: forgets the connection if it is closed. Its other calls have failed, too.
    func reconsider() {
        if let current, current.channel.isClosed { self.current = nil }
    }

    private func connect() throws(ClientError) {
        let channel = try ClientChannel(socket: socket, connectLimit: LoadConnection.connectLimit)
        guard let method = channel.method(path) else { throw ClientError(.resources, "gRPC made no call") }
        current = (channel, method)
    }
}
