package import Crypto
internal import CLinux
internal import Glibc

/// A file that holds a PIN.
package struct PINFile: Sendable, Equatable {
    /// Absolute.
    package let path: String

    /// The longest PIN in bytes.
    package static let limit = 256

    /// Reads `file:/path` (RFC 8089's short form or `file:///path`) or an absolute path; nothing is opened.
    ///
    /// - Throws: `source`.
    package init(_ text: String) throws(PINFailure) {
        guard !text.hasPrefix("|") else {
            throw PINFile.error("a command is not run for a PIN", hint: "name a file of mode 0600")
        }
        var path = Substring(text)
        if path.hasPrefix("file:") {
            path = path.dropFirst("file:".count)
            if path.hasPrefix("///") { path = path.dropFirst(2) }
        }
        guard path.hasPrefix("/"), !path.hasPrefix("//"), !path.utf8.contains(0), path.utf8.count < 4096 else {
            throw PINFile.error(
                "\"\(text)\" is neither an absolute path nor file:/path", hint: "such as /etc/trousseau/hsm.pin")
        }
        self.path = String(path)
    }

    /// The PIN and the identity of the file, from one descriptor, so that they belong together.
    ///
    /// - Throws: `source` unless it is a regular file that only its owner can read, with 1 to 256 bytes and no NUL;
    ///   exactly one newline at the end is dropped. `memory`.
    package func read() throws(PINFailure) -> PIN {
        // O_NONBLOCK: a FIFO must not hang us before fstat has seen it.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard file >= 0 else {
            throw PINFile.error("\(path): \(systemError(errno))", hint: "write the PIN into that file, mode 0600")
        }
        defer { close(file) }
        var entry = stat()
        guard fstat(file, &entry) == 0 else { throw PINFile.error("\(path): \(systemError(errno))") }
        guard entry.st_mode & S_IFMT == S_IFREG else { throw PINFile.error("\(path) is not a regular file") }
        guard entry.st_mode & 0o077 == 0 else {
            throw PINFile.error(
                "\(path) is open to its group or to others (mode \(String(entry.st_mode & 0o777, radix: 8)))",
                hint: "chmod 600 \(path)")
        }
        guard entry.st_size <= PINFile.limit + 1 else {
            throw PINFile.error("\(path) is longer than \(PINFile.limit) bytes")
        }
        let secret = try PINFile.secret(PINFile.limit + 2) { memory throws(PINFailure) in
            var count: Int
            do throws(FileFailure) {
                count = try readAll(file, into: memory)
            } catch {
                throw PINFile.error("\(path): \(systemError(error.code))")
            }
            if count > 0, memory[count - 1] == UInt8(ascii: "\n") { count -= 1 }
            guard count > 0 else { throw PINFile.error("\(path) is empty", hint: "write the PIN into that file") }
            guard count <= PINFile.limit else { throw PINFile.error("\(path) is longer than \(PINFile.limit) bytes") }
            guard !memory.prefix(count).contains(where: { $0 == 0 || $0 == 10 || $0 == 13 }) else {
                throw PINFile.error("\(path) holds more than one line", hint: "it should hold the PIN alone")
            }
            return count
        }
        return PIN(secret, .file(PINFileIdentity(entry)))
    }

    private static func secret(
        _ capacity: Int, _ body: (UnsafeMutableRawBufferPointer) throws(PINFailure) -> Int
    ) throws(PINFailure) -> SecretBytes {
        do {
            return try SecretBytes(capacity: capacity) { try body($0) }
        } catch let error as PINFailure {
            throw error
        } catch {
            throw PINFailure(.memory, "the PIN: \(error)")
        }
    }

    private static func error(_ message: String, hint: String? = nil) -> PINFailure {
        PINFailure(.source, "PIN file: \(message)", hint: hint)
    }
}

/// A PIN in locked memory, and what held it.
package struct PIN: ~Copyable, Sendable {
    /// 1 to 256 bytes.
    package let secret: SecretBytes
    /// What held it.
    package let identity: PINIdentity

    /// Takes the PIN over.
    package init(_ secret: consuming SecretBytes, _ identity: PINIdentity) {
        self.secret = secret
        self.identity = identity
    }
}
