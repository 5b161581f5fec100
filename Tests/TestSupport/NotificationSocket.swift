internal import CLinux
internal import Glibc
internal import Synchronization

/// Stands for systemd: the socket that a service gets in NOTIFY_SOCKET.
public final class NotificationSocket: Sendable {
    private let file: Int32
    private let received = Mutex<[String]>([])

    /// Binds a datagram socket at `path`.
    public init(at path: String) throws(TestError) {
        file = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { throw .systemCall("socket", "", errno) }
        let code = UnixConnection.withAddress(path) { bind(file, $0, $1) == 0 ? 0 : errno }
        guard code == 0 else {
            close(file)
            throw .systemCall("bind", path, code)
        }
    }

    deinit { close(file) }

    /// All lines of all datagrams so far, in order: `READY=1` and the like.
    public var lines: [String] {
        received.withLock { lines in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = recv(file, &buffer, buffer.count, Int32(MSG_DONTWAIT))
                guard count > 0 else { return lines }
                let text = String(decoding: buffer.prefix(count), as: UTF8.self)
                lines += text.split(separator: "\n").map(String.init)
            }
        }
    }
}
