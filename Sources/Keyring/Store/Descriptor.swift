internal import CLinux
internal import Glibc

/// A file descriptor, closed with its owner.
struct Descriptor: ~Copyable, Sendable {
    let raw: Int32

    init(_ raw: Int32) { self.raw = raw }

    deinit { close(raw) }

    /// What fstat(2) says.
    borrowing func status(_ path: String) throws(StoreError) -> stat {
        var status = stat()
        guard fstat(raw, &status) == 0 else { throw StoreError("fstat", path, errno: errno) }
        return status
    }

    /// fsync(2).
    borrowing func synchronize(_ path: String) throws(StoreError) {
        guard fsync(raw) == 0 else { throw StoreError("fsync", path, errno: errno) }
    }

    /// Writes all of it.
    borrowing func write(_ bytes: [UInt8], _ path: String) throws(StoreError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw StoreError("write", path, errno: count == 0 ? ENOSPC : errno) }
            rest = rest.dropFirst(count)
        }
    }

    /// Reads to the end, but not more than `limit` bytes.
    borrowing func read(limit: Int, _ path: String) throws(StoreError) -> [UInt8] {
        let bytes: [UInt8]
        do throws(FileFailure) {
            bytes = try readAll(raw, limit: limit + 1)
        } catch {
            throw StoreError(error.what, path, errno: error.code)
        }
        guard bytes.count <= limit else {
            throw StoreError(.damaged, path, "longer than \(limit) bytes", hint: "restore it from a backup")
        }
        return bytes
    }
}
