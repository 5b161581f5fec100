internal import Glibc

/// errno's text.
func errorText(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
}

/// The few file operations that tests need, without Foundation.
public enum Files {
    /// The whole file.
    public static func read(_ path: String) throws(TestError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .systemCall("open", path, errno) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .systemCall("read", path, errno) }
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: chunk.prefix(count))
        }
    }

    /// The whole file as text; bytes that are not UTF-8 are shown as U+FFFD.
    public static func readText(_ path: String) throws(TestError) -> String {
        String(decoding: try read(path), as: UTF8.self)
    }

    /// Creates or replaces a file in place (same inode).
    public static func write(_ bytes: some Collection<UInt8>, to path: String, mode: UInt32 = 0o600) throws(TestError) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { throw .systemCall("open", path, errno) }
        defer { close(file) }
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .systemCall("write", path, errno) }
            rest = rest.dropFirst(count)
        }
        guard fchmod(file, mode) == 0 else { throw .systemCall("chmod", path, errno) }
    }

    /// Creates or replaces a text file in place.
    public static func write(_ text: String, to path: String, mode: UInt32 = 0o600) throws(TestError) {
        try write(Array(text.utf8), to: path, mode: mode)
    }

    /// Whether something is at `path`, even a dangling link.
    public static func exists(_ path: String) -> Bool {
        var entry = stat()
        return lstat(path, &entry) == 0
    }

    /// Whether a folder is at `path`; a link to one is none.
    public static func isDirectory(_ path: String) -> Bool {
        var entry = stat()
        return lstat(path, &entry) == 0 && entry.st_mode & S_IFMT == S_IFDIR
    }

    /// Permission bits, as in 0o600.
    public static func mode(_ path: String) throws(TestError) -> UInt32 {
        var entry = stat()
        guard lstat(path, &entry) == 0 else { throw .systemCall("stat", path, errno) }
        return entry.st_mode & 0o7777
    }

    /// Owner and group of what is at `path`.
    public static func owner(_ path: String) throws(TestError) -> (user: UInt32, group: UInt32) {
        var entry = stat()
        guard lstat(path, &entry) == 0 else { throw .systemCall("stat", path, errno) }
        return (entry.st_uid, entry.st_gid)
    }

    /// Creates a folder with exactly this mode.
    public static func makeDirectory(_ path: String, mode: UInt32 = 0o700) throws(TestError) {
        guard mkdir(path, mode) == 0, chmod(path, mode) == 0 else { throw .systemCall("mkdir", path, errno) }
    }

    /// chmod(2).
    public static func changeMode(_ path: String, to mode: UInt32) throws(TestError) {
        guard chmod(path, mode) == 0 else { throw .systemCall("chmod", path, errno) }
    }

    /// rename(2).
    public static func move(_ from: String, to: String) throws(TestError) {
        guard rename(from, to) == 0 else { throw .systemCall("rename", "\(from) -> \(to)", errno) }
    }

    /// The names in a folder, sorted, without "." and "..".
    public static func list(_ path: String) throws(TestError) -> [String] {
        guard let folder = opendir(path) else { throw .systemCall("opendir", path, errno) }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes a file, or a folder with all that is in it. Links are removed, not followed.
    public static func remove(_ path: String) throws(TestError) {
        var entry = stat()
        guard lstat(path, &entry) == 0 else { return }
        if entry.st_mode & S_IFMT == S_IFDIR {
            // A test may have taken its own permissions away.
            _ = chmod(path, 0o700)
            for name in try list(path) { try remove(path + "/" + name) }
            guard rmdir(path) == 0 else { throw .systemCall("rmdir", path, errno) }
        } else {
            guard unlink(path) == 0 else { throw .systemCall("unlink", path, errno) }
        }
    }

    /// The program's folder: test bundles lie beside the products of the same build.
    public static func executableDirectory() throws(TestError) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:))
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else {
            throw .systemCall("readlink", "/proc/self/exe", errno)
        }
        return String(decoding: path[..<slash], as: UTF8.self)
    }
}
