internal import CLinux
internal import Glibc

/// Whether somebody listens on a Unix socket.
enum SocketProbe {
    case listening
    /// The file is there, but nobody listens.
    case stale
    case refused(String)

    /// Connects, and hangs up.
    static func ask(_ path: String) -> SocketProbe {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return .refused(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return .refused("too long") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                connect(
                    descriptor, __CONST_SOCKADDR_ARG(__sockaddr__: address), socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // A full backlog (EAGAIN) is a listener too.
        if result == 0 || errno == EAGAIN { return .listening }
        return errno == ECONNREFUSED ? .stale : .refused(String(cString: strerror(errno)))
    }
}
