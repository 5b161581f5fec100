internal import CLinux
internal import Glibc

/// Changes to a directory: durable when they return, and never half done, wherever the process ends.
extension StoreDirectory {
    /// Replaces or creates a file: temporary file, fsync, rename, fsync of the directory. Whatever fails, the file is
    /// the old one or the new one.
    func write(_ name: String, _ bytes: [UInt8]) throws(StoreError) {
        let temporary = StoreDirectory.temporaryPrefix + name
        let file = path + "/" + name
        _ = try unlink(temporary)
        do throws(StoreError) {
            let output = try openFile(temporary, O_WRONLY | O_CREAT | O_EXCL, "create")
            // The umask may have taken the owner's bits away.
            guard fchmod(output.raw, 0o600) == 0 else { throw StoreError("chmod", file, errno: errno) }
            observer(.created(file))
            try output.write(bytes, file)
            observer(.written(file))
            try output.synchronize(file)
            observer(.synchronized(file))
            try rename(temporary, to: name)
        } catch {
            // The first error is the one to tell.
            _ = try? unlink(temporary)
            throw error
        }
        observer(.renamed(file))
        try synchronize()
    }

    /// Removes a file; nothing happens when there is none.
    func remove(_ name: String) throws(StoreError) {
        guard try unlink(name) else { return }
        observer(.removed(path + "/" + name))
        try synchronize()
    }

    /// Removes what a crash has left. Only for the one writer.
    func removeTemporaryFiles() throws(StoreError) {
        for name in try names() where name.hasPrefix(StoreDirectory.temporaryPrefix) { try remove(name) }
    }

    /// Makes a directory of mode 0700 in this one, unless there is one.
    func makeDirectory(_ name: String) throws(StoreError) {
        guard try mkdir(name) else { return }
        observer(.directoryMade(path + "/" + name))
        try synchronize()
    }

    /// Takes the lock on a file of this name, for as long as the result lives, and writes the process ID into it.
    func lock(_ name: String) throws(StoreError) -> FileLock {
        let file = path + "/" + name
        let lock = try openFile(name, O_RDWR | O_CREAT, "open")
        guard flock(lock.raw, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            guard code == EWOULDBLOCK else { throw StoreError("flock", file, errno: code) }
            let text = String(decoding: try lock.read(limit: 64, file), as: UTF8.self).prefix { $0.isNumber }
            throw StoreError(
                .locked, file, "in use by process \(text.isEmpty ? "?" : String(text))",
                hint: "stop it first, or give the command to the running plugin")
        }
        guard ftruncate(lock.raw, 0) == 0 else { throw StoreError("truncate", file, errno: errno) }
        try lock.write(Array("\(getpid())\n".utf8), file)
        return FileLock(lock)
    }

    /// mkdir -p with mode 0700; what exists stays as it is.
    static func makeDirectories(_ path: String, observer: StoreObserver) throws(StoreError) {
        if Glibc.mkdir(path, 0o700) != 0 {
            let code = errno
            if code == EEXIST { return }
            let parent = parent(of: path)
            guard code == ENOENT, parent != path else { throw StoreError("mkdir", path, errno: code) }
            try makeDirectories(parent, observer: observer)
            guard Glibc.mkdir(path, 0o700) == 0 || errno == EEXIST else {
                throw StoreError("mkdir", path, errno: errno)
            }
        }
        observer(.directoryMade(path))
        let parent = parent(of: path)
        let raw = Glibc.open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw StoreError("open", parent, errno: errno) }
        try Descriptor(raw).synchronize(parent)
    }

    private static func parent(of path: String) -> String {
        var rest = path[...]
        while rest.count > 1 && rest.last == "/" { rest = rest.dropLast() }
        guard let slash = rest.lastIndex(of: "/") else { return "." }
        return slash == rest.startIndex ? "/" : String(rest[..<slash])
    }
}
