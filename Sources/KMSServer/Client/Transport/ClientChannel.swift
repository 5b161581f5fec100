internal import CGRPC
internal import Glibc

/// One connection to a server. It does not connect again by itself.
final class ClientChannel {
    /// What kube-apiserver sends as `:authority`.
    private static let authority = "localhost"

    let raw: OpaquePointer
    /// A second descriptor of the connection, to see whether the server has closed it: gRPC does not tell.
    private let watched: CInt

    /// Connects.
    ///
    /// - Throws: `notReachable`, `resources`.
    init(socket: String, connectLimit: Duration) throws(ClientError) {
        GRPCLibrary.start()
        let descriptor = try UnixConnector.connect(socket, limit: connectLimit)
        let watched = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard watched >= 0, let raw = ClientChannel.channel(over: descriptor) else {
            close(descriptor)
            if watched >= 0 { close(watched) }
            throw ClientError(.resources, "\(PeerText.clean(Array(socket.utf8))): no channel for the connection")
        }
        self.raw = raw
        self.watched = watched
    }

    deinit {
        grpc_channel_destroy(raw)
        close(watched)
    }

    /// Whether the server has closed the connection.
    var isClosed: Bool { UnixConnector.isClosed(watched) }

    /// A handle for calls of a method, such as `/v2.KeyManagementService/Status`. It lives as long as the channel.
    func method(_ path: String) -> UnsafeMutableRawPointer? {
        grpc_channel_register_call(raw, path, ClientChannel.authority, nil)
    }

    /// Takes the descriptor over when it succeeds.
    private static func channel(over descriptor: CInt) -> OpaquePointer? {
        guard let credentials = grpc_insecure_credentials_create() else { return nil }
        defer { grpc_channel_credentials_release(credentials) }
        return ChannelArguments.lean.withRaw { grpc_channel_create_from_fd(authority, descriptor, credentials, $0) }
    }
}
