internal import Glibc

/// A file that must not exist yet.
enum NewFile {
    /// Writes it, durably, and never over another one.
    static func write(_ bytes: UnsafeRawBufferPointer, to path: String, mode: mode_t) throws(CommandFailure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else {
            if errno == EEXIST { throw exists(path) }
            throw failure("create", path, errno)
        }
        defer { close(descriptor) }
        do throws(CommandFailure) {
            // Whatever the umask says.
            guard fchmod(descriptor, mode) == 0 else { throw failure("chmod", path, errno) }
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw failure("write", path, count == 0 ? ENOSPC : errno) }
                rest = rest.dropFirst(count)
            }
            guard fsync(descriptor) == 0 else { throw failure("fsync", path, errno) }
        } catch {
            unlink(path)
            throw error
        }
    }

    /// - Throws: when something is there.
    static func check(_ path: String) throws(CommandFailure) {
        var status = stat()
        guard lstat(path, &status) != 0 else { throw exists(path) }
    }

    private static func exists(_ path: String) -> CommandFailure {
        CommandFailure(.failure, "\(path): exists already", hint: "keys are never overwritten: name another file")
    }

    private static func failure(_ call: String, _ path: String, _ code: Int32) -> CommandFailure {
        CommandFailure(.failure, "\(path): \(call): \(String(cString: strerror(code)))")
    }
}
