internal import CLinux
internal import Glibc

/// A directory that only its owner can change. All its files are reached through its descriptor and none through a
/// symbolic link.
final class StoreDirectory: Sendable {
    let path: String
    let observer: StoreObserver
    private let descriptor: Descriptor
    /// The user that everything in it belongs to.
    private let owner: UInt32

    /// What a temporary file's name begins with. There is one writer, so a file of such a name is a crash's.
    static let temporaryPrefix = ".tmp."
    /// More entries than any keyring has.
    static let maximumEntries = 16384

    private init(_ path: String, _ descriptor: consuming Descriptor, owner: UInt32, _ observer: @escaping StoreObserver)
    {
        self.path = path
        self.descriptor = descriptor
        self.owner = owner
        self.observer = observer
    }

    /// Opens the directory at `path` and checks its owner and mode.
    static func open(
        _ path: String, forWriting: Bool, observer: @escaping StoreObserver
    ) throws(StoreError) -> StoreDirectory {
        try open(path, at: AT_FDCWD, name: path, forWriting: forWriting, observer)
    }

    /// Opens a directory in this one; nil when there is none.
    func subdirectory(_ name: String, forWriting: Bool) throws(StoreError) -> StoreDirectory? {
        guard try contains(name) else { return nil }
        return try StoreDirectory.open(
            path + "/" + name, at: descriptor.raw, name: name, forWriting: forWriting, observer)
    }

    private static func open(
        _ path: String, at parent: Int32, name: String, forWriting: Bool, _ observer: @escaping StoreObserver
    ) throws(StoreError) -> StoreDirectory {
        let raw = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else {
            let code = errno
            guard code == ENOTDIR || code == ELOOP else { throw StoreError("open", path, errno: code) }
            throw StoreError(
                .insecure, path, "not a directory itself",
                hint: "name the directory that holds the keyring; a symbolic link to it is not followed")
        }
        let descriptor = Descriptor(raw)
        let status = try descriptor.status(path)
        let user = geteuid()
        // The administrator may look at everybody's keyring; what he wrote there, its owner could not read.
        guard status.st_uid == user || (user == 0 && !forWriting) else {
            throw StoreError(
                .insecure, path, "belongs to user \(status.st_uid), this is user \(user)",
                hint: "run as user \(status.st_uid), or chown the directory with all its files")
        }
        guard status.st_mode & 0o022 == 0 else {
            throw StoreError(
                .insecure, path, "others than its owner may write to it (mode \(octal(status.st_mode)))",
                hint: "chmod 700 \(path)")
        }
        return StoreDirectory(path, descriptor, owner: status.st_uid, observer)
    }

    /// The names of its entries, sorted, without "." and "..".
    func names() throws(StoreError) -> [String] {
        // A descriptor of its own, since reading moves its position.
        let raw = openat(descriptor.raw, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw StoreError("open", path, errno: errno) }
        guard let stream = fdopendir(raw) else {
            let code = errno
            close(raw)
            throw StoreError("fdopendir", path, errno: code)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw StoreError("readdir", path, errno: errno) }
                return names.sorted()
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
            guard names.count <= StoreDirectory.maximumEntries else {
                throw StoreError(
                    .damaged, path, "more than \(StoreDirectory.maximumEntries) files",
                    hint: "move away what is not the keyring's")
            }
        }
    }

    /// Whether there is an entry of this name, of whatever type.
    func contains(_ name: String) throws(StoreError) -> Bool {
        var status = stat()
        if fstatat(descriptor.raw, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return true }
        guard errno == ENOENT else { throw StoreError("stat", path + "/" + name, errno: errno) }
        return false
    }

    /// The file's bytes; nil when there is none.
    ///
    /// - Throws: `insecure` for what is not a regular file or not only its owner's to write; `damaged` when it is longer
    ///   than `limit` bytes.
    func read(_ name: String, limit: Int) throws(StoreError) -> [UInt8]? {
        let file = path + "/" + name
        // Not blocking: opening a FIFO would wait for its writer.
        let raw = openat(descriptor.raw, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard raw >= 0 else {
            if errno == ENOENT { return nil }
            throw StoreError("open", file, errno: errno)
        }
        let input = Descriptor(raw)
        let status = try input.status(file)
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw StoreError(.insecure, file, "not a file", hint: "remove what stands there, and restore the file")
        }
        guard status.st_uid == owner || status.st_uid == 0 else {
            throw StoreError(
                .insecure, file, "belongs to user \(status.st_uid), the directory to user \(owner)",
                hint: "find out who put it there; chown \(owner) it if it is right")
        }
        guard status.st_mode & 0o022 == 0 else {
            throw StoreError(
                .insecure, file, "others than its owner may write to it (mode \(StoreDirectory.octal(status.st_mode)))",
                hint: "find out who did; chmod 600 it if it is right")
        }
        return try input.read(limit: limit, file)
    }

    /// Opens a file for `body`, with a descriptor that is closed afterwards unless it is given on.
    func openFile(_ name: String, _ flags: Int32, _ call: String) throws(StoreError) -> Descriptor {
        let raw = openat(descriptor.raw, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard raw >= 0 else { throw StoreError(call, path + "/" + name, errno: errno) }
        return Descriptor(raw)
    }

    /// rename(2) in this directory.
    func rename(_ from: String, to name: String) throws(StoreError) {
        guard renameat(descriptor.raw, from, descriptor.raw, name) == 0 else {
            throw StoreError("rename", path + "/" + name, errno: errno)
        }
    }

    /// unlink(2); false when there is none.
    func unlink(_ name: String) throws(StoreError) -> Bool {
        if unlinkat(descriptor.raw, name, 0) == 0 { return true }
        guard errno == ENOENT else { throw StoreError("unlink", path + "/" + name, errno: errno) }
        return false
    }

    /// mkdir(2) with mode 0700; false when there is something already.
    func mkdir(_ name: String) throws(StoreError) -> Bool {
        if mkdirat(descriptor.raw, name, 0o700) == 0 { return true }
        guard errno == EEXIST else { throw StoreError("mkdir", path + "/" + name, errno: errno) }
        return false
    }

    /// fsync(2) of the directory itself.
    func synchronize() throws(StoreError) {
        try descriptor.synchronize(path)
        observer(.directorySynchronized(path))
    }

    private static func octal(_ mode: mode_t) -> String {
        let digits = String(mode & 0o7777, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
