internal import Glibc

/// A folder for one test, mode 0700, removed when the test's scope ends.
///
/// Its path is short, since a Unix socket's has at most 107 bytes: `/tmp/tt.XXXXXX`, whatever TMPDIR says.
public enum TemporaryDirectory {
    /// Runs `body` with the path of a new folder.
    public static func with<R>(_ body: (String) throws -> R) throws -> R {
        let path = try make()
        defer { remove(path) }
        return try body(path)
    }

    /// Runs `body` with the path of a new folder.
    public nonisolated(nonsending) static func with<R>(_ body: (String) async throws -> R) async throws -> R {
        let path = try make()
        defer { remove(path) }
        return try await body(path)
    }

    static func make() throws(TestError) -> String {
        var template = Array("/tmp/tt.XXXXXX\0".utf8CString.dropLast())
        guard mkdtemp(&template) != nil else { throw .systemCall("mkdtemp", "/tmp/tt.XXXXXX", errno) }
        return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    static func remove(_ path: String) {
        do {
            try Files.remove(path)
        } catch {
            let text = Array("a test's folder stays behind: \(error)\n".utf8)
            _ = text.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        }
    }
}
