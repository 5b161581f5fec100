internal import CLinux
internal import Crypto
internal import Glibc
internal import Keyring

/// What a file was when it was read: if this changes, it may hold something else.
struct FileIdentity: Sendable, Equatable {
    let device: UInt64
    let inode: UInt64
    let size: Int64
    let modified: [Int]

    init(_ entry: stat) {
        device = UInt64(entry.st_dev)
        inode = UInt64(entry.st_ino)
        size = Int64(entry.st_size)
        modified = [entry.st_mtim.tv_sec, entry.st_mtim.tv_nsec, entry.st_ctim.tv_sec, entry.st_ctim.tv_nsec]
    }

    /// Nil when there is no such file.
    init?(path: String) {
        var entry = stat()
        guard stat(path, &entry) == 0 else { return nil }
        self.init(entry)
    }
}

/// A file with one credential on one line.
struct SecretFile: Sendable {
    /// The longest credential in bytes; signed tokens of Kubernetes have one to two thousand.
    static let limit = 8192

    let path: String
    /// Whether everybody may read it: role IDs are no secret, and kubelet decides about the tokens that it projects.
    let mayBePublic: Bool

    init(_ path: String, mayBePublic: Bool = false) {
        self.path = path
        self.mayBePublic = mayBePublic
    }

    /// Nil when it is not there.
    var identity: FileIdentity? { FileIdentity(path: path) }

    /// The credential, and the identity of what held it, from one descriptor.
    ///
    /// - Throws: `credentials` unless it is a regular file that others cannot read, with 1 to 8192 bytes of printable
    ///   ASCII without quotes; newlines and spaces at its end are dropped.
    func read() throws(VaultError) -> (secret: SecretText.Owned, identity: FileIdentity) {
        // O_NONBLOCK: a FIFO must not hang us before fstat has seen it.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard file >= 0 else { throw error("\(systemError(errno))", hint: "write the credential into that file") }
        defer { close(file) }
        var entry = stat()
        guard fstat(file, &entry) == 0 else { throw error(systemError(errno)) }
        try check(entry)
        guard entry.st_size <= SecretFile.limit else { throw error("is longer than \(SecretFile.limit) bytes") }
        var problem: String?
        let secret: SecretBytes
        do {
            secret = try SecretBytes(capacity: Int(entry.st_size) + 1) { memory in
                let (count, found) = SecretFile.fill(memory, from: file)
                problem = found
                return count
            }
        } catch {
            throw VaultError(.local, "\(path): \(error)", errorClass: .retry)
        }
        if let problem { throw error(problem) }
        return (SecretText.Owned(secret), FileIdentity(entry))
    }

    /// - Throws: `credentials` unless it is a regular file that others cannot read; for what libcurl reads by itself.
    func check() throws(VaultError) {
        var entry = stat()
        guard stat(path, &entry) == 0 else { throw error(systemError(errno)) }
        try check(entry)
    }

    private func check(_ entry: stat) throws(VaultError) {
        guard entry.st_mode & S_IFMT == S_IFREG else { throw error("is not a regular file") }
        guard mayBePublic || entry.st_mode & 0o007 == 0 else {
            throw error(
                "is open to everybody (mode \(String(entry.st_mode & 0o777, radix: 8)))", hint: "chmod o= \(path)")
        }
    }

    /// How many bytes of the credential there are, or what is wrong with it.
    private static func fill(_ memory: UnsafeMutableRawBufferPointer, from file: Int32) -> (Int, String?) {
        var count: Int
        do throws(FileFailure) {
            count = try readAll(file, into: memory)
        } catch {
            return (0, systemError(error.code))
        }
        // The memory is one byte larger than the file was.
        guard count < memory.count else { return (0, "changed while it was read") }
        while count > 0, [10, 13, 32].contains(memory[count - 1]) { count -= 1 }
        guard count > 0 else { return (0, "is empty") }
        // No quote and no backslash: it goes into JSON as it is.
        let isSound = memory.prefix(count).allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c }
        return isSound ? (count, nil) : (0, "holds more than one line, or something else than a credential")
    }

    private func error(_ reason: String, hint: String? = nil) -> VaultError {
        VaultError(.credentials, "\(path): \(reason)", hint: hint)
    }
}
