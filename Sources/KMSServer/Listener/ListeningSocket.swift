internal import CLinux
internal import Glibc

/// A socket that accepts connections.
final class ListeningSocket: Sendable {
    /// The file of a socket that we made.
    private struct File: Sendable {
        let device: dev_t
        let inode: ino_t
    }

    /// As the configuration has it; systemd's sockets may have another one.
    let path: String
    private let socket: Descriptor
    private let file: File?
    /// Held as long as the socket is ours.
    private let lock: Descriptor?

    var raw: Int32 { socket.raw }

    /// How many connections may wait to be accepted.
    static let backlog: Int32 = 128

    private init(_ path: String, _ socket: consuming Descriptor, _ file: File?, _ lock: consuming Descriptor?) {
        self.path = path
        self.socket = socket
        self.file = file
        self.lock = lock
    }

    /// Takes over a socket that listens already.
    init(adopting socket: consuming Descriptor, path: String) {
        self.path = path
        self.socket = socket
        file = nil
        lock = nil
    }

    /// Makes the socket, with its owner and its mode before anybody can connect.
    ///
    /// There is no moment at which a peer whom mode or owner would keep out gets in: connect(2) is refused until
    /// listen(2) was called, and that comes last. The file is born with mode 0 (Linux gives it the mode of the
    /// unbound socket), so that not even its mode is ever wider than wanted. Between these steps nobody can put another
    /// file in its place, since only this user may write to the folder.
    ///
    /// - Parameter folderMode: of a folder that has to be made.
    static func create(
        _ configuration: SocketConfiguration, folderMode: mode_t
    ) throws(ServerError) -> ListeningSocket {
        let address = try SocketAddress(configuration.path)
        let socket = try SocketAddress.newSocket(for: address.path)
        if address.isAbstract {
            try bind(socket, to: address)
            try listen(socket, address)
            return ListeningSocket(address.path, socket, nil, nil)
        }
        let folder = try SocketFolder.open(address.folder, mode: folderMode)
        let lock = try folder.lock(for: address.name)
        if let status = try folder.status(of: address.name) {
            try requireStale(address, status)
            try folder.remove(address.name)
        }
        guard fchmod(socket.raw, 0) == 0 else { throw ServerError("chmod", address.path, errno: errno) }
        try bind(socket, to: address)
        guard let status = try folder.status(of: address.name) else {
            throw ServerError(.system, address.path, "gone at once", hint: "find out who removes files there")
        }
        do {
            try setOwnerAndMode(configuration, address, in: folder)
            try listen(socket, address)
        } catch {
            try? folder.remove(address.name)
            throw error
        }
        return ListeningSocket(
            address.path, socket, File(device: status.st_dev, inode: status.st_ino), lock)
    }

    private static func setOwnerAndMode(
        _ configuration: SocketConfiguration, _ address: SocketAddress, in folder: borrowing SocketFolder
    ) throws(ServerError) {
        let unchanged = UInt32.max
        if configuration.owner != nil || configuration.group != nil {
            guard
                fchownat(
                    folder.descriptor.raw, address.name, configuration.owner ?? unchanged,
                    configuration.group ?? unchanged, AT_SYMLINK_NOFOLLOW) == 0
            else { throw ServerError("chown", address.path, errno: errno) }
        }
        guard fchmodat(folder.descriptor.raw, address.name, configuration.mode & 0o777, 0) == 0 else {
            throw ServerError("chmod", address.path, errno: errno)
        }
    }

    /// Returns only when what is at the address is a socket on which nobody listens.
    private static func requireStale(_ address: SocketAddress, _ status: stat) throws(ServerError) {
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ServerError(
                .occupied, address.path, "there is something else than a socket", hint: "move it away")
        }
        let probe = try SocketAddress.newSocket(for: address.path)
        let code = address.withRaw { connect(probe.raw, $0, $1) == 0 ? 0 : errno }
        switch code {
        case ECONNREFUSED: return
        case 0, EAGAIN, EINPROGRESS:
            throw ServerError(
                .inUse, address.path, "another process listens there",
                hint: "stop it (`ss -xlp` names it), or choose another path")
        default: throw ServerError("connect", address.path, errno: code)
        }
    }

    private static func bind(_ socket: borrowing Descriptor, to address: SocketAddress) throws(ServerError) {
        let raw = socket.raw
        let code = address.withRaw { Glibc.bind(raw, $0, $1) == 0 ? 0 : errno }
        guard code != EADDRINUSE else {
            throw ServerError(
                .inUse, address.path, "another process has this address",
                hint: "stop it (`ss -xlp` names it), or choose another path")
        }
        guard code == 0 else { throw ServerError("bind", address.path, errno: code) }
    }

    private static func listen(_ socket: borrowing Descriptor, _ address: SocketAddress) throws(ServerError) {
        guard Glibc.listen(socket.raw, backlog) == 0 else { throw ServerError("listen", address.path, errno: errno) }
    }

    /// Removes the socket's file, if it is still the one that we made. systemd's sockets stay.
    func removeFile() {
        guard let file else { return }
        var status = stat()
        guard lstat(path, &status) == 0, status.st_dev == file.device, status.st_ino == file.inode else { return }
        unlink(path)
    }
}
