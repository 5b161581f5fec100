internal import Glibc

/// A small file of this node's own, mode 0600, that is the old one or the new one wherever the process ends.
package struct DurableFile: Sendable {
    /// Absolute.
    package let path: String
    private let directory: String
    private var temporary: String { path + ".new" }

    /// The file `name` in an existing folder; nothing is opened.
    package init(directory: String, name: String) {
        self.directory = directory
        path = directory + "/" + name
    }

    /// Its first `limit` bytes; nil when there is no such file. Never waits.
    package func read(limit: Int) throws(FileFailure) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw FileFailure(what: "read", code: errno)
        }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count >= 0 else { throw FileFailure(what: "read", code: errno) }
        return Array(bytes.prefix(count))
    }

    /// Durable when it returns: the file and its folder's entry were synced.
    package func write(_ text: String) throws(FileFailure) {
        try prepare(text)
        try commit()
    }

    /// Writes all of it to a place of its own: what is left for `commit` wants no room on the disk.
    package func prepare(_ text: String) throws(FileFailure) {
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw FileFailure(what: "write", code: errno) }
        let bytes = Array(text.utf8)
        let written = Glibc.write(file, bytes, bytes.count)
        let problem =
            written == bytes.count && fsync(file) == 0 ? 0 : written < 0 || written == bytes.count ? errno : ENOSPC
        close(file)
        guard problem == 0 else {
            unlink(temporary)
            throw FileFailure(what: "write", code: problem)
        }
    }

    /// Puts what was prepared into force.
    package func commit() throws(FileFailure) {
        guard rename(temporary, path) == 0 else { throw FileFailure(what: "rename", code: errno) }
        try syncDirectory()
    }

    /// Removes what was prepared.
    package func discard() { unlink(temporary) }

    /// Durable when it returns; a file that is not there is no error.
    package func remove() throws(FileFailure) {
        guard unlink(path) == 0 else {
            if errno == ENOENT { return }
            throw FileFailure(what: "remove", code: errno)
        }
        try syncDirectory()
    }

    private func syncDirectory() throws(FileFailure) {
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw FileFailure(what: "sync", code: errno) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw FileFailure(what: "sync", code: errno) }
    }
}
