internal import CLinux
internal import Glibc

/// The file of a Unix socket that we made.
struct SocketFile: Sendable {
    /// A group may be let in by the folder's set-group-ID bit.
    private static let mode: mode_t = 0o660

    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// Binds a socket, in place of one that nobody listens on and of nothing else.
    ///
    /// The file is born with mode 0 and has its own before anybody can connect: that takes listen(2). Between these steps
    /// nobody can put another file in its place, since only this user and root may write to the folder.
    static func bind(_ descriptor: Int32, to path: String) throws(OperationsError) -> SocketFile {
        let folder = try openFolder(of: path)
        defer { close(folder) }
        guard fchmod(descriptor, 0) == 0 else { throw OperationsError("chmod", path, errno: errno) }
        let name = String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
        var code = withAddress(path) { Glibc.bind(descriptor, $0, $1) == 0 ? 0 : errno }
        if code == EADDRINUSE, isStale(path, name, in: folder), unlinkat(folder, name, 0) == 0 {
            code = withAddress(path) { Glibc.bind(descriptor, $0, $1) == 0 ? 0 : errno }
        }
        guard code == 0 else { throw OperationsError("bind", path, errno: code) }
        var entry = stat()
        guard fchmodat(folder, name, mode, 0) == 0, fstatat(folder, name, &entry, AT_SYMLINK_NOFOLLOW) == 0 else {
            let code = errno
            unlinkat(folder, name, 0)
            throw OperationsError("chmod", path, errno: code)
        }
        return SocketFile(path: path, device: entry.st_dev, inode: entry.st_ino)
    }

    /// Removes the file, if it is still the one that we made: a successor may have made its own.
    func remove() {
        var entry = stat()
        guard lstat(path, &entry) == 0, entry.st_dev == device, entry.st_ino == inode else { return }
        unlink(path)
    }

    /// Who may write to the folder may put another socket in the place of ours, or a link. One that everybody may write to
    /// will do when it is sticky, as /tmp is.
    private static func openFolder(of path: String) throws(OperationsError) -> Int32 {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw OperationsError("open", folder, errno: errno) }
        var entry = stat()
        guard fstat(descriptor, &entry) == 0 else {
            let code = errno
            close(descriptor)
            throw OperationsError("stat", folder, errno: code)
        }
        let isOurs = entry.st_uid == 0 || entry.st_uid == geteuid()
        guard isOurs, entry.st_mode & 0o022 == 0 || entry.st_mode & S_ISVTX != 0 else {
            close(descriptor)
            throw OperationsError(
                folder, isOurs ? "others may write to it" : "belongs to user \(entry.st_uid)",
                hint: isOurs ? "chmod go-w \(folder)" : "chown it to user \(geteuid()), or name another folder")
        }
        return descriptor
    }

    private static func isStale(_ path: String, _ name: String, in folder: Int32) -> Bool {
        var entry = stat()
        guard fstatat(folder, name, &entry, AT_SYMLINK_NOFOLLOW) == 0, entry.st_mode & S_IFMT == S_IFSOCK else {
            return false
        }
        // Not blocking: whoever listens there may accept nothing.
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let probe = socket(AF_UNIX, type, 0)
        guard probe >= 0 else { return false }
        defer { close(probe) }
        return withAddress(path) { connect(probe, $0, $1) != 0 && errno == ECONNREFUSED }
    }

    private static func withAddress<R>(_ path: String, _ body: (__CONST_SOCKADDR_ARG, socklen_t) -> R) -> R {
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
