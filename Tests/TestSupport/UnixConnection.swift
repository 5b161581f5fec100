internal import CLinux
internal import Glibc

/// A raw connection to a Unix socket, for tests that speak something else than gRPC, or nothing.
public final class UnixConnection: Sendable {
    private let file: Int32

    /// Connects.
    public init(to path: String) throws(TestError) {
        let file = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { throw .systemCall("socket", "", errno) }
        let code = UnixConnection.withAddress(path) { connect(file, $0, $1) == 0 ? 0 : errno }
        guard code == 0 else {
            close(file)
            throw .systemCall("connect", path, code)
        }
        // Only now: from here on deinit closes it, even if init throws.
        self.file = file
    }

    deinit { close(file) }

    /// Sends all bytes; false when the peer has closed.
    @discardableResult
    public func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(file, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Closes the sending half.
    public func endSending() { shutdown(file, Int32(SHUT_WR)) }

    /// Reads until the peer closes (true), or until nothing came for `limit` (false). Blocks its thread.
    public func readsEnd(within limit: Duration) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            var event = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
            let ready = poll(&event, 1, limit.wholeMilliseconds)
            if ready < 0 && errno == EINTR { continue }
            guard ready > 0 else { return false }
            if recv(file, &chunk, chunk.count, 0) <= 0 { return true }
        }
    }

    /// Connects until no more connections may wait to be accepted; the caller closes them.
    public static func fillBacklog(of path: String) throws(TestError) -> [Int32] {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        var files: [Int32] = []
        while files.count < 10_000 {
            let file = socket(AF_UNIX, type, 0)
            guard file >= 0 else { throw .systemCall("socket", "", errno) }
            files.append(file)
            let code = withAddress(path) { connect(file, $0, $1) == 0 ? 0 : errno }
            if code == EAGAIN { return files }
            guard code == 0 else { throw .systemCall("connect", path, code) }
        }
        throw TestError("\(path): no end of its backlog")
    }

    /// A listening socket at `path`; the caller closes it.
    public static func listen(at path: String) throws(TestError) -> Int32 {
        let file = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { throw .systemCall("socket", "", errno) }
        let code = withAddress(path) { bind(file, $0, $1) == 0 ? 0 : errno }
        guard code == 0, Glibc.listen(file, 128) == 0 else {
            close(file)
            throw .systemCall("bind", path, code)
        }
        return file
    }

    static func withAddress<R>(_ path: String, _ body: (__CONST_SOCKADDR_ARG, socklen_t) -> R) -> R {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                // _GNU_SOURCE makes the parameter a union of all address types.
                body(__CONST_SOCKADDR_ARG(__sockaddr__: $0), socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
