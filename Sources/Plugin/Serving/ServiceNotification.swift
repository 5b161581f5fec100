internal import CLinux
internal import Crypto
internal import Glibc

/// Tells systemd, or whoever set NOTIFY_SOCKET, how far the service is: datagrams as in sd_notify(3), without its
/// library.
struct ServiceNotification: Sendable {
    private let path: String?

    /// Nothing is sent where `path` is nil or empty.
    init(path: String?) {
        self.path = path.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// From this process's environment.
    static var fromEnvironment: ServiceNotification {
        ServiceNotification(path: getenv("NOTIFY_SOCKET").map { String(cString: $0) })
    }

    /// The sockets accept.
    func ready(_ status: String) { send("READY=1\nSTATUS=\(PrintableText.spaced(status))") }

    /// One line for `systemctl status`.
    func status(_ status: String) { send("STATUS=\(PrintableText.spaced(status))") }

    /// The service is on its way out.
    func stopping() { send("STOPPING=1\nSTATUS=stopping") }

    /// A supervisor that does not listen is no reason to fail.
    private func send(_ message: String) {
        guard let path else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        // In the abstract namespace the first byte is NUL, and the length says where the name ends.
        if name.first == UInt8(ascii: "@") { name[0] = 0 } else if name.first != UInt8(ascii: "/") { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)

        let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array(message.utf8)
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                // _GNU_SOURCE makes the parameter a union of all address types.
                let target = __CONST_SOCKADDR_ARG(__sockaddr__: address)
                _ = sendto(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL), target, length)
            }
        }
    }
}
