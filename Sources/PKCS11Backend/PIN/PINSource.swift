internal import CLinux
internal import Crypto
internal import Glibc
internal import Keyring

/// Where the PIN comes from.
enum PINSource: Sendable, Equatable {
    /// A file, by absolute path.
    case file(String)
    /// The configuration's URI itself (`pin-value`), by the operator's word.
    case inline(uri: String)

    /// The longest PIN in bytes.
    static let limit = 256

    /// Reads `file:/path` (RFC 8089's short form or `file:///path`) or an absolute path; nothing is opened.
    init(_ text: String) throws(PKCS11Error) {
        guard !text.hasPrefix("|") else {
            throw PINSource.error("a command is not run for a PIN", hint: "name a file of mode 0600")
        }
        var path = Substring(text)
        if path.hasPrefix("file:") {
            path = path.dropFirst("file:".count)
            if path.hasPrefix("///") { path = path.dropFirst(2) }
        }
        guard path.hasPrefix("/"), !path.hasPrefix("//"), !path.utf8.contains(0), path.utf8.count < 4096 else {
            throw PINSource.error(
                "\"\(text)\" is neither an absolute path nor file:/path", hint: "such as /etc/trousseau/hsm.pin")
        }
        self = .file(String(path))
    }

    /// For messages: never the PIN.
    var name: String {
        switch self {
        case .file(let path): path
        case .inline: "the URI's pin-value"
        }
    }

    /// The PIN and the identity of what held it, from one descriptor, so that they belong together.
    ///
    /// - Throws: `PKCS11Error.pinSource` unless it is a regular file that only its owner can read, with 1 to 256 bytes
    ///   and no NUL; exactly one newline at the end is dropped.
    func read() throws(PKCS11Error) -> PIN {
        switch self {
        case .file(let path): return try PINSource.read(path)
        case .inline(let uri):
            guard var value = try KeyURI.pinValue(of: uri) else { throw PINSource.error("pin-value is missing") }
            defer { value.withUnsafeMutableBytes { SecretBytes.wipe($0) } }
            let secret = try PINSource.secret(value.count) { memory in
                memory.copyBytes(from: value)
                return value.count
            }
            return PIN(secret, .inline)
        }
    }

    private static func read(_ path: String) throws(PKCS11Error) -> PIN {
        // O_NONBLOCK: a FIFO must not hang us before fstat has seen it.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard file >= 0 else {
            throw error("\(path): \(systemError(errno))", hint: "write the PIN into that file, mode 0600")
        }
        defer { close(file) }
        var entry = stat()
        guard fstat(file, &entry) == 0 else { throw error("\(path): \(systemError(errno))") }
        guard entry.st_mode & S_IFMT == S_IFREG else { throw error("\(path) is not a regular file") }
        guard entry.st_mode & 0o077 == 0 else {
            throw error(
                "\(path) is open to its group or to others (mode \(String(entry.st_mode & 0o777, radix: 8)))",
                hint: "chmod 600 \(path)")
        }
        guard entry.st_size <= limit + 1 else { throw error("\(path) is longer than \(limit) bytes") }
        let secret = try secret(limit + 2) { memory throws(PKCS11Error) in
            var count = 0
            while count < memory.count {
                let got = Glibc.read(file, memory.baseAddress?.advanced(by: count), memory.count - count)
                if got < 0 && errno == EINTR { continue }
                guard got >= 0 else { throw error("\(path): \(systemError(errno))") }
                if got == 0 { break }
                count += got
            }
            if count > 0, memory[count - 1] == UInt8(ascii: "\n") { count -= 1 }
            guard count > 0 else { throw error("\(path) is empty", hint: "write the PIN into that file") }
            guard count <= limit else { throw error("\(path) is longer than \(limit) bytes") }
            guard !memory.prefix(count).contains(where: { $0 == 0 || $0 == 10 || $0 == 13 }) else {
                throw error("\(path) holds more than one line", hint: "it should hold the PIN alone")
            }
            return count
        }
        return PIN(secret, .file(PINFileIdentity(entry)))
    }

    private static func secret(
        _ capacity: Int, _ body: (UnsafeMutableRawBufferPointer) throws(PKCS11Error) -> Int
    ) throws(PKCS11Error) -> SecretBytes {
        do {
            return try SecretBytes(capacity: capacity) { try body($0) }
        } catch let error as PKCS11Error {
            throw error
        } catch {
            throw PKCS11Error(.pinSource, "the PIN: \(error)", errorClass: .retry)
        }
    }

    private static func error(_ message: String, hint: String? = nil) -> PKCS11Error {
        PKCS11Error(.pinSource, "PIN file: \(message)", hint: hint)
    }
}

/// A PIN in locked memory, and what held it.
struct PIN: ~Copyable, Sendable {
    let secret: SecretBytes
    let identity: PINIdentity

    init(_ secret: consuming SecretBytes, _ identity: PINIdentity) {
        self.secret = secret
        self.identity = identity
    }
}

/// errno's text.
func systemError(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    guard let text = strerror_r(code, &buffer, buffer.count) else { return "error \(code)" }
    return String(cString: text)
}
