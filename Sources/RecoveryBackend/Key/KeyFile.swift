internal import Crypto
internal import Glibc
internal import Keyring

/// Reads the files of recovery keys.
enum KeyFile {
    /// 64 KiB.
    static let maximumSize = 65536

    /// A file that only root and this process's user may change: whoever replaces it gets every KEK that is made
    /// afterwards.
    static func readPublic(_ path: String) throws(RecoveryError) -> [UInt8] {
        let file = try open(path)
        defer { close(file.descriptor) }
        guard file.status.st_uid == 0 || file.status.st_uid == geteuid() else {
            throw RecoveryError(
                .keyFile, "\(path): belongs to user \(file.status.st_uid)",
                hint: "find out who put it there; it must belong to root or to the plugin's user")
        }
        guard file.status.st_mode & 0o022 == 0 else {
            throw RecoveryError(
                .keyFile, "\(path): others than its owner may write to it",
                hint: "check that it is still the right key, then chmod go-w \(path)")
        }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: maximumSize, alignment: 1)
        defer { memory.deallocate() }
        return Array(memory.prefix(try read(file.descriptor, into: memory, path)))
    }

    /// A file with a secret, into secure memory.
    ///
    /// - Parameter isPrivate: nobody but its owner may read it. Not asked of a private key: it may come on a medium whose
    ///   file system has no modes.
    static func readSecret(_ path: String, isPrivate: Bool = false) throws(RecoveryError) -> SecretBytes {
        let file = try open(path)
        defer { close(file.descriptor) }
        guard !isPrivate || file.status.st_mode & 0o077 == 0 else {
            throw RecoveryError(
                .keyFile, "\(path): others than its owner may read it", hint: "chmod 600 \(path), or type it instead")
        }
        guard file.status.st_size <= maximumSize else { throw tooLong(path) }
        do {
            return try SecretBytes(capacity: Int(file.status.st_size) + 1) { (memory) in
                try read(file.descriptor, into: memory, path)
            }
        } catch let error as RecoveryError {
            throw error
        } catch let error as CryptoError {
            throw RecoveryError(error)
        } catch {
            throw RecoveryError(.keyFile, "\(path): \(error)")
        }
    }

    private static func open(_ path: String) throws(RecoveryError) -> (descriptor: Int32, status: stat) {
        // Not blocking: opening a FIFO would wait for its writer.
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw failure("open", path, errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw RecoveryError(.keyFile, "\(path): not a file", hint: "name a PEM file")
        }
        return (descriptor, status)
    }

    /// - Returns: how many bytes there were; fewer than there is room for.
    private static func read(
        _ descriptor: Int32, into memory: UnsafeMutableRawBufferPointer, _ path: String
    ) throws(RecoveryError) -> Int {
        let count: Int
        do throws(FileFailure) {
            count = try readAll(descriptor, into: memory)
        } catch {
            throw failure("read", path, error.code)
        }
        guard count < memory.count else { throw tooLong(path) }
        return count
    }

    private static func tooLong(_ path: String) -> RecoveryError {
        RecoveryError(.keyFile, "\(path): longer than \(maximumSize) bytes", hint: "name a PEM file with one key")
    }

    private static func failure(_ call: String, _ path: String, _ code: Int32) -> RecoveryError {
        let hint =
            code == ENOENT
            ? "put the recovery key's certificate there, or make a pair with trousseau recovery-key new"
            : "check the path, and that this user may read it"
        return RecoveryError(.keyFile, "\(path): \(call): \(systemError(code))", hint: hint)
    }
}
