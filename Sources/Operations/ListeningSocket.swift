internal import CLinux
internal import Glibc

/// A listening socket, for a daemon to take over.
struct ListeningSocket {
    private static let backlog: Int32 = 16

    /// To be closed by who takes it.
    let descriptor: Int32
    /// Where it listens; with the port that the kernel chose.
    let address: ListeningAddress
    /// Of a Unix socket.
    let file: SocketFile?

    init(_ address: ListeningAddress) throws(OperationsError) {
        switch address {
        case .unix(let path):
            descriptor = try ListeningSocket.open(AF_UNIX, address)
            self.address = address
            do throws(OperationsError) {
                file = try SocketFile.bind(descriptor, to: path)
                try ListeningSocket.listen(descriptor, address)
            } catch {
                close(descriptor)
                throw error
            }
        case .ipv4(let host, let port):
            descriptor = try ListeningSocket.open(AF_INET, address)
            file = nil
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_addr.s_addr = host.bigEndian
            name.sin_port = port.bigEndian
            let code = ListeningSocket.bind(descriptor, &name)
            self.address = .ipv4(host, port: UInt16(bigEndian: name.sin_port))
            try ListeningSocket.finish(descriptor, code, address)
        case .ipv6Loopback(let port):
            descriptor = try ListeningSocket.open(AF_INET6, address)
            file = nil
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
}
