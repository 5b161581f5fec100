internal import CLinux
internal import Crypto
internal import Glibc

/// The part of the PIN guard that outlives the process: which source held the PIN that a device refused, or that it was
/// shown without an answer having arrived.
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
        /// A PIN went out and what became of it was not noted: the answer was lost, or the process ended before it.
        case unanswered(PINIdentity, circumstances: String)
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
        guard 4...5 ~= lines.count, lines[0] == header, lines[1] == deviceLine, lines.last?.isEmpty == true,
            let identity = PINIdentity(text: lines[2])
        else { return .unreadable("not a PIN guard of this version") }
        guard lines.count == 5 else { return .refused(identity) }
        guard lines[3].hasPrefix(PINGuardFile.unanswered) else { return .unreadable("not a PIN guard of this version") }
        return .unanswered(
            identity, circumstances: String(lines[3].dropFirst(PINGuardFile.unanswered.count)))
    }

    /// Says, before a PIN goes out, that it has gone out and that its outcome is not known. Durable when it returns.
    ///
    /// - Parameter circumstances: one line from which the backend may tell later what the outcome was.
    package func announce(_ identity: PINIdentity, circumstances: String) throws(PINFailure) {
        try noting { () throws(FileFailure) in
            try file.write(text(identity) + PINGuardFile.unanswered + circumstances + "\n")
        }
    }

    /// Durable when it returns: the file and its folder's entry were synced.
    package func write(_ identity: PINIdentity) throws(PINFailure) {
        try prepare(identity)
        try commit()
    }

    /// Writes all of it to a place of its own: what is left for `commit` wants no room on the disk.
    package func prepare(_ identity: PINIdentity) throws(PINFailure) {
        try noting { () throws(FileFailure) in try file.prepare(text(identity)) }
    }

    private func text(_ identity: PINIdentity) -> String { "\(header)\n\(deviceLine)\n\(identity.text)\n" }

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

    /// Waits for whoever holds the lock, at most until `deadline`.
    ///
    /// - Throws: `blocked` when the guard folder cannot be written: a refused PIN could not be remembered. `busy`.
    package func lock(until deadline: ContinuousClock.Instant) throws(PINFailure) -> Lock {
        let lock = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw failure("lock", errno) }
        // flock(2) has no time limit, and a signal that would end it is not ours to send.
        while flock(lock, LOCK_EX | LOCK_NB) != 0 {
            let problem = errno
            if problem == EINTR { continue }
            if problem == EWOULDBLOCK, ContinuousClock.now < deadline {
                usleep(20_000)
                continue
            }
            close(lock)
            guard problem == EWOULDBLOCK else { throw failure("lock", problem) }
            throw PINFailure(
                .busy, "PIN guard \(path): another process has it, and does not give it back",
                hint: "it shows a PIN to the same device: wait for its end (fuser \(path).lock names it)")
        }
        return Lock(file: lock)
    }

    private static let unanswered = "unanswered "
    private var header: String { "trousseau pin guard 1" }

    private func failure(_ what: String, _ code: Int32) -> PINFailure {
        PINFailure(
            .blocked, "PIN guard \(path): cannot \(what): \(systemError(code))",
            hint: "no login without it, since a refused PIN has to be remembered: "
                + (code == ENOENT
                    ? "trousseau init makes it, or mkdir -p -m 0700 \(directory)" : "make \(directory) writable"))
    }
}
