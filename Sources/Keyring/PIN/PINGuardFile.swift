internal import CLinux
internal import Crypto
internal import Glibc

/// The part of the PIN guard that outlives the process: which source held the PIN that a device refused.
///
/// One small text file a device in the guard folder. It holds no PIN and no hash of one: a four-digit PIN is found from
/// its hash at once. A file that does not parse counts as a guard on every source.
package struct PINGuardFile: Sendable {
    /// Absolute.
    package let path: String
    private let directory: String
    private let deviceLine: String

    /// The guard of one device; nothing is opened.
    ///
    /// - Parameters:
    ///   - kind: the backend's: "pkcs11".
    ///   - device: what the backend calls what it logs in to: "token".
    ///   - identity: which one it is, in any bytes.
    package init(directory: String, kind: String, device: String, identity: [UInt8]) {
        self.directory = directory
        // Serials are the vendor's text: hexadecimal keeps them from being paths.
        let name = Hex.encode(identity)
        path = "\(directory)/\(kind)-\(name).pin-guard"
        deviceLine = "\(device) \(name)"
    }

    /// What the file says.
    package enum Content: Equatable {
        case absent
        case refused(PINIdentity)
        case unreadable(String)
    }

    /// Never waits.
    package func read() -> Content {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else { return errno == ENOENT ? .absent : .unreadable(systemError(errno)) }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count >= 0 else { return .unreadable(systemError(errno)) }
        let lines = String(decoding: bytes.prefix(count), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 4, lines[0] == header, lines[1] == deviceLine, lines[3].isEmpty,
            let identity = PINIdentity(text: lines[2])
        else { return .unreadable("not a PIN guard of this version") }
        return .refused(identity)
    }

    /// Durable when it returns: the file and its folder's entry were synced.
    package func write(_ identity: PINIdentity) throws(PINFailure) {
        try prepare(identity)
        try commit()
    }

    /// Writes all of it to a place of its own: what is left for `commit` wants no room on the disk.
    package func prepare(_ identity: PINIdentity) throws(PINFailure) {
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw failure("write", errno) }
        let text = Array("\(header)\n\(deviceLine)\n\(identity.text)\n".utf8)
        let written = Glibc.write(file, text, text.count)
        let problem =
            written == text.count && fsync(file) == 0 ? 0 : written < 0 || written == text.count ? errno : ENOSPC
        close(file)
        guard problem == 0 else {
            unlink(temporary)
            throw failure("write", problem)
        }
    }

    /// Puts what was prepared into force.
    package func commit() throws(PINFailure) {
        guard rename(temporary, path) == 0 else { throw failure("rename", errno) }
        try syncDirectory()
    }

    /// Removes what was prepared.
    package func discard() { unlink(temporary) }

    /// Durable when it returns; a file that is not there is no error.
    package func remove() throws(PINFailure) {
        guard unlink(path) == 0 else {
            if errno == ENOENT { return }
            throw failure("remove", errno)
        }
        try syncDirectory()
    }

    /// Keeps other processes from logging in to this device through a guard until it is released.
    package struct Lock: Sendable {
        fileprivate let file: Int32

        /// To be called once.
        package func release() { close(file) }
    }

    /// Waits for whoever holds the lock.
    ///
    /// - Throws: `blocked` when the guard folder cannot be written: a refused PIN could not be remembered.
    package func lock() throws(PINFailure) -> Lock {
        let lock = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw failure("lock", errno) }
        while flock(lock, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let problem = errno
                close(lock)
                throw failure("lock", problem)
            }
        }
        return Lock(file: lock)
    }

    private var temporary: String { path + ".new" }
    private var header: String { "trousseau pin guard 1" }

    private func syncDirectory() throws(PINFailure) {
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw failure("sync", errno) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw failure("sync", errno) }
    }

    private func failure(_ what: String, _ code: Int32) -> PINFailure {
        PINFailure(
            .blocked, "PIN guard \(path): cannot \(what): \(systemError(code))",
            hint: "no login without it, since a refused PIN has to be remembered: "
                + (code == ENOENT
                    ? "trousseau init makes it, or mkdir -p -m 0700 \(directory)" : "make \(directory) writable"))
    }
}
