internal import CLinux
internal import Crypto
internal import Glibc

/// The part of the PIN guard that outlives the process: which source held the PIN that a token refused.
///
/// One small text file a token in the guard folder. It holds no PIN and no hash of one: a four-digit PIN is found from
/// its hash at once. A file that does not parse counts as a guard on every source.
struct PINGuardFile: Sendable {
    let path: String
    private let directory: String
    private let tokenSerial: String

    /// The guard of the token with this serial; nothing is opened.
    init(directory: String, tokenSerial: String) {
        self.directory = directory
        self.tokenSerial = tokenSerial
        // Serials are the vendor's text: hexadecimal keeps them from being paths.
        path = directory + "/pkcs11-" + Hex.encode(Array(tokenSerial.utf8)) + ".pin-guard"
    }

    /// What the file says.
    enum Content: Equatable {
        case absent
        case refused(PINIdentity)
        case unreadable(String)
    }

    func read() -> Content {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else { return errno == ENOENT ? .absent : .unreadable(systemError(errno)) }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count >= 0 else { return .unreadable(systemError(errno)) }
        let lines = String(decoding: bytes.prefix(count), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 4, lines[0] == header, lines[1] == serialLine, lines[3].isEmpty,
            let identity = PINIdentity(text: lines[2])
        else { return .unreadable("not a PIN guard of this version") }
        return .refused(identity)
    }

    /// Durable when it returns: the file and its folder's entry were synced.
    func write(_ identity: PINIdentity) throws(PKCS11Error) {
        try prepare(identity)
        try commit()
    }

    /// Writes all of it to a place of its own: what is left for `commit` wants no room on the disk.
    func prepare(_ identity: PINIdentity) throws(PKCS11Error) {
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw failure("write", errno) }
        let text = Array("\(header)\n\(serialLine)\n\(identity.text)\n".utf8)
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
    func commit() throws(PKCS11Error) {
        guard rename(temporary, path) == 0 else { throw failure("rename", errno) }
        try syncDirectory()
    }

    /// Removes what was prepared.
    func discard() { unlink(temporary) }

    func remove() throws(PKCS11Error) {
        guard unlink(path) == 0 else {
            if errno == ENOENT { return }
            throw failure("remove", errno)
        }
        try syncDirectory()
    }

    /// Runs `body` while no other process logs in to this token through a guard.
    ///
    /// - Throws: `pinBlocked` when the guard folder cannot be written: a refused PIN could not be remembered.
    func locked<R>(_ body: () throws(PKCS11Error) -> R) throws(PKCS11Error) -> R {
        let lock = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw failure("lock", errno) }
        defer { close(lock) }
        while flock(lock, LOCK_EX) != 0 {
            guard errno == EINTR else { throw failure("lock", errno) }
        }
        return try body()
    }

    private var temporary: String { path + ".new" }
    private var header: String { "trousseau pin guard 1" }
    private var serialLine: String { "token \(Hex.encode(Array(tokenSerial.utf8)))" }

    private func syncDirectory() throws(PKCS11Error) {
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw failure("sync", errno) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw failure("sync", errno) }
    }

    private func failure(_ what: String, _ code: Int32) -> PKCS11Error {
        PKCS11Error(
            .pinBlocked, "PIN guard \(path): cannot \(what): \(systemError(code))",
            hint: "no login without it, since a refused PIN has to be remembered: "
                + (code == ENOENT
                    ? "trousseau init makes it, or mkdir -p -m 0700 \(directory)" : "make \(directory) writable"))
    }
}
