internal import CLinux
internal import Glibc

/// The folder of a socket: who may write to it may put another socket in the place of ours.
struct SocketFolder: ~Copyable {
    let path: String
    let descriptor: Descriptor

    /// Opens the folder, and makes it if it is missing (its parent must be there).
    ///
    /// - Parameter mode: of a folder that has to be made.
    /// - Throws: `insecure` when others may replace what is in it. A folder that everybody may write to will do when it
    ///   is sticky, as /tmp is: there nobody can remove or rename what is ours.
    static func open(_ path: String, mode: mode_t) throws(ServerError) -> SocketFolder {
        let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
        var raw = Glibc.open(path, flags)
        if raw < 0 && errno == ENOENT {
            // Made closed and opened up afterwards, since the umask applies to mkdir(2).
            let isNew = mkdir(path, 0o700) == 0
            guard isNew || errno == EEXIST else { throw ServerError("mkdir", path, errno: errno) }
            raw = Glibc.open(path, flags)
            if isNew && raw >= 0 && fchmod(raw, mode) != 0 {
                let code = errno
                close(raw)
                throw ServerError("chmod", path, errno: code)
            }
        }
        guard raw >= 0 else { throw ServerError("open", path, errno: errno) }
        let folder = SocketFolder(path: path, descriptor: Descriptor(raw))
        var status = stat()
        guard fstat(raw, &status) == 0 else { throw ServerError("stat", path, errno: errno) }
        guard status.st_uid == 0 || status.st_uid == geteuid() else {
            throw ServerError(
                .insecure, path, "belongs to user \(status.st_uid), who could replace the socket",
                hint: "chown it to user \(geteuid()), or choose another folder")
        }
        guard status.st_mode & 0o022 == 0 || status.st_mode & S_ISVTX != 0 else {
            throw ServerError(
                .insecure, path, "others may write to it (mode \(String(status.st_mode & 0o7777, radix: 8)))",
                hint: "chmod go-w \(path)")
        }
        return folder
    }

    /// Type and identity of an entry; nil when there is none.
    borrowing func status(of name: String) throws(ServerError) -> stat? {
        var status = stat()
        if fstatat(descriptor.raw, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return status }
        guard errno == ENOENT else { throw ServerError("stat", path + "/" + name, errno: errno) }
        return nil
    }

    /// unlink(2).
    borrowing func remove(_ name: String) throws(ServerError) {
        guard unlinkat(descriptor.raw, name, 0) == 0 || errno == ENOENT else {
            throw ServerError("unlink", path + "/" + name, errno: errno)
        }
    }

    /// Locks `name`.lock, which only this user can open, as long as the descriptor lives. The file stays: two processes
    /// can agree on a lock file only as long as nobody removes it.
    borrowing func lock(for name: String) throws(ServerError) -> Descriptor {
        let file = ".\(name).lock"
        let subject = path + "/" + file
        let raw = openat(descriptor.raw, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        guard raw >= 0 else { throw ServerError("open", subject, errno: errno) }
        let lock = Descriptor(raw)
        var status = stat()
        guard fstat(raw, &status) == 0 else { throw ServerError("stat", subject, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid() else {
            throw ServerError(
                .occupied, subject, "not a lock file of this user", hint: "find out who put it there and remove it")
        }
        guard flock(raw, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw ServerError("flock", subject, errno: errno) }
            throw ServerError(
                .inUse, path + "/" + name, "another process starts or serves here",
                hint: "stop it (trousseau status names it), or choose another path")
        }
        return lock
    }
}
