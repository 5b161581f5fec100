internal import CLinux
internal import Glibc

/// A listening socket, for a daemon to take over.
struct ListeningSocket {
    private static let backlog: Int32 = 16
    /// A group may be let in by the folder's set-group-ID bit.
    private static let mode: mode_t = 0o660

    /// To be closed by who takes it.
    let descriptor: Int32
    /// Where it listens; with the port that the kernel chose.
    let address: ListeningAddress

    init(_ address: ListeningAddress) throws(OperationsError) {
        switch address {
        case .unix(let path):
            descriptor = try ListeningSocket.open(AF_UNIX, address)
            self.address = address
            do throws(OperationsError) {
                try ListeningSocket.bind(descriptor, path: path)
                try ListeningSocket.listen(descriptor, address)
            } catch {
                close(descriptor)
                throw error
            }
        case .ipv4(let host, let port):
            descriptor = try ListeningSocket.open(AF_INET, address)
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_addr.s_addr = host.bigEndian
            name.sin_port = port.bigEndian
            let code = ListeningSocket.bind(descriptor, &name)
            self.address = .ipv4(host, port: UInt16(bigEndian: name.sin_port))
            try ListeningSocket.finish(descriptor, code, address)
        case .ipv6Loopback(let port):
            descriptor = try ListeningSocket.open(AF_INET6, address)
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_addr = in6addr_loopback
            name.sin6_port = port.bigEndian
            let code = ListeningSocket.bind(descriptor, &name)
            self.address = .ipv6Loopback(port: UInt16(bigEndian: name.sin6_port))
            try ListeningSocket.finish(descriptor, code, address)
        }
    }

    private static func open(_ family: Int32, _ address: ListeningAddress) throws(OperationsError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { throw OperationsError("socket", "\(address)", errno: errno) }
        // Connections of the plugin before this one may linger in TIME_WAIT.
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        return descriptor
    }

    private static func listen(_ descriptor: Int32, _ address: ListeningAddress) throws(OperationsError) {
        guard Glibc.listen(descriptor, backlog) == 0 else {
            throw OperationsError("listen", "\(address)", errno: errno)
        }
    }

    private static func finish(
        _ descriptor: Int32, _ code: Int32, _ address: ListeningAddress
    ) throws(OperationsError) {
        do throws(OperationsError) {
            guard code == 0 else { throw OperationsError("bind", "\(address)", errno: code) }
            try listen(descriptor, address)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// bind(2), and then the name that the kernel gave; 0 or errno.
    private static func bind<Name>(_ descriptor: Int32, _ name: inout Name) -> Int32 {
        var size = socklen_t(MemoryLayout<Name>.size)
        return withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                // _GNU_SOURCE makes the parameter a union of all address types.
                guard Glibc.bind(descriptor, __CONST_SOCKADDR_ARG(__sockaddr__: name), size) == 0,
                    getsockname(descriptor, __SOCKADDR_ARG(__sockaddr__: name), &size) == 0
                else { return errno }
                return 0
            }
        }
    }

    // MARK: Unix sockets

    /// Replaces a socket that nobody listens on, and nothing else. The mode is there before anybody can connect: that
    /// takes listen(2).
    private static func bind(_ descriptor: Int32, path: String) throws(OperationsError) {
        var code = withName(path) { Glibc.bind(descriptor, $0, $1) == 0 ? 0 : errno }
        if code == EADDRINUSE, isStale(path), unlink(path) == 0 {
            code = withName(path) { Glibc.bind(descriptor, $0, $1) == 0 ? 0 : errno }
        }
        guard code == 0 else { throw OperationsError("bind", path, errno: code) }
        guard chmod(path, mode) == 0 else {
            let code = errno
            unlink(path)
            throw OperationsError("chmod", path, errno: code)
        }
    }

    private static func isStale(_ path: String) -> Bool {
        var entry = stat()
        guard lstat(path, &entry) == 0, entry.st_mode & S_IFMT == S_IFSOCK else { return false }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return false }
        defer { close(probe) }
        return withName(path) { connect(probe, $0, $1) != 0 && errno == ECONNREFUSED }
    }

    private static func withName<R>(_ path: String, _ body: (__CONST_SOCKADDR_ARG, socklen_t) -> R) -> R {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body(__CONST_SOCKADDR_ARG(__sockaddr__: $0), socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
