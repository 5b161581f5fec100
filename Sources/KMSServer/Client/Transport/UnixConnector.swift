// For timeval, which the compiler counts to whichever C module showed it first.
internal import CGRPC
internal import CLinux
internal import Glibc
internal import Keyring

/// Connects to a server's Unix socket. Done here and not by gRPC: so the system's reason is known, no name is resolved,
/// and no proxy that the environment names gets into the way.
enum UnixConnector {
    /// A connected descriptor, which the caller owns.
    ///
    /// - Parameters:
    ///   - socket: an absolute path, or `@name` in the abstract namespace.
    ///   - limit: how long to wait while the server's queue of connections is full.
    /// - Throws: `notReachable` when nobody listens or may not be connected to; `resources`.
    static func connect(_ socket: String, limit: Duration) throws(ClientError) -> CInt {
        let address: SocketAddress
        do throws(ServerError) {
            address = try SocketAddress(socket)
        } catch {
            throw ClientError(.notReachable, "\(PeerText.quoted(socket)): not the path of a socket")
        }
        let descriptor = Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ClientError(.resources, "\(socket): socket: \(systemError(errno))") }
        // connect(2) waits while the server's backlog is full, and this is how long.
        let (seconds, attoseconds) = max(limit, .milliseconds(1)).components
        var timeout = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        let code = address.withRaw { address, length -> CInt in
            while Glibc.connect(descriptor, address, length) != 0 {
                if errno != EINTR { return errno }
            }
            return 0
        }
        guard code == 0 else {
            close(descriptor)
            throw failure(socket, code)
        }
        return descriptor
    }

    /// Whether the peer has closed a connection.
    static func isClosed(_ descriptor: CInt) -> Bool {
        var event = pollfd(fd: descriptor, events: Int16(POLLRDHUP), revents: 0)
        return poll(&event, 1, 0) > 0
    }

    private static func failure(_ socket: String, _ code: CInt) -> ClientError {
        let name = PeerText.clean(Array(socket.utf8))
        let hint: String? =
            switch code {
            case ENOENT: "there is no such socket: is the plugin running, and is this its path?"
            case ECONNREFUSED where socket.hasPrefix("@"): "nobody listens there: is the plugin running?"
            case ECONNREFUSED: "the socket is there, but nobody listens: the plugin has ended"
            case EACCES, EPERM: "the socket's mode or folder does not let this user in"
            case EAGAIN: "the plugin does not take connections"
            default: nil
            }
        let reason = code == EAGAIN ? "its queue of connections is full" : systemError(code)
        return ClientError(.notReachable, "\(name): cannot connect: \(reason)", hint: hint)
    }
}
