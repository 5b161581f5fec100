internal import CLinux
internal import Crypto
internal import Glibc

/// The part of the PIN guard that outlives the process: which source held the PIN that a device refused.
///
/// One small text file a device in the guard folder. It holds no PIN and no hash of one: a four-digit PIN is found from
/// its hash at once. A file that does not parse counts as a guard on every source.
package struct PINGuardFile: Sendable {
    private let file: DurableFile
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
        file = DurableFile(directory: directory, name: "\(kind)-\(name).pin-guard")
        deviceLine = "\(device) \(name)"
    }

    /// Absolute.
    package var path: String { file.path }

    /// What the file says.
    package enum Content: Equatable {
        case absent
        case refused(PINIdentity)
        case unreadable(String)
    }

    /// Never waits.
    package func read() -> Content {
        let bytes: [UInt8]
        do throws(FileFailure) {
            guard let found = try file.read(limit: 1024) else { return .absent }
            bytes = found
        } catch {
            return .unreadable(systemError(error.code))
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
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
        try noting { () throws(FileFailure) in try file.prepare("\(header)\n\(deviceLine)\n\(identity.text)\n") }
    }

    /// Puts what was prepared into force.
    package func commit() throws(PINFailure) {
        try noting { () throws(FileFailure) in try file.commit() }
    }

    /// Removes what was prepared.
    package func discard() { file.discard() }

    /// Durable when it returns; a file that is not there is no error.
    package func remove() throws(PINFailure) {
        try noting { () throws(FileFailure) in try file.remove() }
    }

    private func noting(_ body: () throws(FileFailure) -> Void) throws(PINFailure) {
        do throws(FileFailure) {
            try body()
        } catch {
            throw failure(error.what, error.code)
        }
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

    private var header: String { "trousseau pin guard 1" }

    private func failure(_ what: String, _ code: Int32) -> PINFailure {
        PINFailure(
            .blocked, "PIN guard \(path): cannot \(what): \(systemError(code))",
            hint: "no login without it, since a refused PIN has to be remembered: "
                + (code == ENOENT
                    ? "trousseau init makes it, or mkdir -p -m 0700 \(directory)" : "make \(directory) writable"))
    }
}
