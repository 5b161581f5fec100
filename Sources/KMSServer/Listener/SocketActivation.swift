internal import CLinux
internal import Glibc

/// The sockets that systemd has opened for this process (sd_listen_fds(3)).
enum SocketActivation {
    /// The first descriptor of systemd's protocol.
    static let firstDescriptor: Int32 = 3
    private static let variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]

    struct Sockets: ~Copyable {
        var kms: Descriptor?
        var control: Descriptor?
    }

    /// Takes the sockets named `kms` and `control`; a single one of another name is the KMS socket. The variables are
    /// removed, so that no child takes them for its own.
    ///
    /// Reading the environment twice gives nothing the second time.
    static func take(from first: Int32) throws(ServerError) -> Sockets {
        var sockets = Sockets()
        let values = variables.map { name in getenv(name).map { String(cString: $0) } }
        for name in variables where getenv(name) != nil { unsetenv(name) }
        // Another process's: the variables were inherited.
        guard let pid = values[0], let owner = pid_t(pid), owner == getpid(), let text = values[1] else {
            return sockets
        }
        guard let count = Int32(text), 0...64 ~= count else {
            throw ServerError(.activation, "LISTEN_FDS", "\"\(text.prefix(20))\" is no number of sockets", hint: hint)
        }
        let names = values[2].map { $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init) } ?? []
        for index in 0..<count {
            let descriptor = Descriptor(first + index)
            let name = Int(index) < names.count ? names[Int(index)] : ""
            try check(descriptor, name: name)
            if name == "control", sockets.control == nil {
                sockets.control = consume descriptor
            } else if name == "kms" || (count == 1 && name != "control"), sockets.kms == nil {
                sockets.kms = consume descriptor
            } else {
                throw ServerError(.activation, "LISTEN_FDNAMES", "socket \"\(name.prefix(64))\" has no use", hint: hint)
            }
        }
        return sockets
    }

    private static let hint = "the socket units need FileDescriptorName=kms and FileDescriptorName=control, one each"

    private static func check(_ descriptor: borrowing Descriptor, name: String) throws(ServerError) {
        let subject = "descriptor \(descriptor.raw) (\(name.prefix(64)))"
        guard
            option(descriptor, SO_DOMAIN) == AF_UNIX, option(descriptor, SO_TYPE) == Int32(SOCK_STREAM.rawValue),
            option(descriptor, SO_ACCEPTCONN) == 1
        else {
            throw ServerError(
                .activation, subject, "not a listening stream socket of the Unix domain",
                hint: "the socket unit needs ListenStream= with an absolute path")
        }
        let flags = fcntl(descriptor.raw, F_GETFL)
        guard fcntl(descriptor.raw, F_SETFD, FD_CLOEXEC) == 0, flags >= 0,
            fcntl(descriptor.raw, F_SETFL, flags | O_NONBLOCK) == 0
        else { throw ServerError("fcntl", subject, errno: errno) }
    }

    private static func option(_ descriptor: borrowing Descriptor, _ name: Int32) -> Int32? {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor.raw, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
    }
}
