internal import CLinux
internal import Glibc

/// A Unix socket's address: a path, or `@name` in the abstract namespace.
struct SocketAddress: Sendable {
    /// As in the configuration.
    let path: String
    var isAbstract: Bool { path.hasPrefix("@") }

    /// The folder of a path.
    var folder: String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    /// The last part of a path.
    var name: String { String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...]) }

    init(_ path: String) throws(ServerError) {
        self.path = path
        let limit = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1
        let problem: String? =
            if path.utf8.contains(0) {
                "contains a NUL"
            } else if path.utf8.count > limit {
                "longer than \(limit) bytes, which is all that a socket's address holds"
            } else if path.hasPrefix("@") {
                path.utf8.count < 2 ? "an abstract socket needs a name" : nil
            } else if !path.hasPrefix("/") {
                "not an absolute path"
            } else {
                path.hasSuffix("/") ? "names a folder" : nil
            }
        guard let problem else { return }
        throw ServerError(.invalidPath, path, problem, hint: "choose a path such as /run/trousseau/kms.sock")
    }

    /// The address as bind(2) and connect(2) take it.
    func withRaw<R>(_ body: (__CONST_SOCKADDR_ARG, socklen_t) -> R) -> R {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        if isAbstract { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes.prefix($0.count)) }
        // An abstract name ends where the length says, a path at its NUL.
        let header = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
        let length = socklen_t(header + bytes.count + (isAbstract ? 0 : 1))
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body(__CONST_SOCKADDR_ARG(__sockaddr__: $0), length)
            }
        }
    }

    /// A new stream socket that does not block and is not inherited.
    static func newSocket(for subject: String) throws(ServerError) -> Descriptor {
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard raw >= 0 else { throw ServerError("socket", subject, errno: errno) }
        return Descriptor(raw)
    }
}
