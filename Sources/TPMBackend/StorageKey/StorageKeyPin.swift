internal import CLinux
internal import Crypto
internal import Glibc
internal import Keyring

/// The storage root key that this node was enrolled with, in the node's own file: it never comes from a record, since
/// whoever writes records could name a key of theirs.
///
/// One text file a backend, `tpm-NAME.srk`:
/// ```
/// trousseau tpm storage root key 1
/// handle 0x81000001
/// name HEX
/// public BASE64
/// ```
/// `public` is the TPM2B_PUBLIC; `name` is for people to compare with `tpm2_readpublic`, and is checked. Frozen:
/// docs/formats.md.
struct StorageKeyPin: Sendable {
    let path: String
    private let directory: String

    /// The pin of the backend with this name; nothing is opened.
    init(directory: String, backend: String) {
        self.directory = directory
        path = directory + "/tpm-" + backend + ".srk"
    }

    private static let header = "trousseau tpm storage root key 1"

    static func text(_ key: StorageKey) -> String {
        """
        \(header)
        handle 0x81000001
        name \(key.text)
        public \(Base64.encode(key.area.encodedSized))

        """
    }

    /// The pinned key, or nil when there is no file.
    ///
    /// - Throws: `pin` when there is one that is not exactly what `write` makes.
    func read() throws(TPMError) -> StorageKey? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("read", errno)
        }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count >= 0 else { throw failure("read", errno) }
        let text = String(decoding: bytes.prefix(count), as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 5, lines[3].hasPrefix("public "),
            let encoded = Base64.decode(lines[3].dropFirst("public ".count)),
            let area = try? TPMPublic(sized: encoded), let key = try? StorageKey(area), StorageKeyPin.text(key) == text
        else {
            throw TPMError(
                .pin, "\(path): this is not a pinned storage root key of this version, or it was changed",
                hint:
                    "restore the file; without it this node has to be enrolled anew (trousseau reseal --generate-keys)")
        }
        return key
    }

    /// Durable when it returns: the file and its folder's entry were synced.
    func write(_ key: StorageKey) throws(TPMError) {
        let temporary = path + ".new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw failure("write", errno) }
        let text = Array(StorageKeyPin.text(key).utf8)
        let written = Glibc.write(file, text, text.count)
        let problem = written == text.count && fsync(file) == 0 ? 0 : errno
        close(file)
        guard written == text.count, problem == 0 else { throw failure("write", problem) }
        guard rename(temporary, path) == 0 else { throw failure("rename", errno) }
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw failure("sync", errno) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw failure("sync", errno) }
    }

    private func failure(_ what: String, _ code: Int32) -> TPMError {
        TPMError(
            .pin, "\(path): cannot \(what): \(systemError(code))",
            hint: "the plugin has to be able to read and write \(directory)")
    }
}
