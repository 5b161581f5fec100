internal import Glibc

/// A system call on a file that failed.
package struct FileFailure: Error, Sendable {
    /// What could not be done: "write".
    package let what: String
    /// errno.
    package let code: Int32
}

/// Reads until `memory` is full or the file ends.
///
/// - Returns: how many bytes were read.
package func readAll(_ file: Int32, into memory: UnsafeMutableRawBufferPointer) throws(FileFailure) -> Int {
    var filled = 0
    while filled < memory.count {
        let count = read(file, memory.baseAddress.map { $0 + filled }, memory.count - filled)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw FileFailure(what: "read", code: errno) }
        if count == 0 { break }
        filled += count
    }
    return filled
}

/// The first `limit` bytes of what is left of a file, or all of it if that is less.
package func readAll(_ file: Int32, limit: Int) throws(FileFailure) -> [UInt8] {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: limit, alignment: 1)
    defer { memory.deallocate() }
    return Array(memory.prefix(try readAll(file, into: memory)))
}
