internal import Crypto
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
    private let file: DurableFile
    private let directory: String
    var path: String { file.path }

    /// The pin of the backend with this name; nothing is opened.
    init(directory: String, backend: String) {
        self.directory = directory
        file = DurableFile(directory: directory, name: "tpm-" + backend + ".srk")
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
        let bytes: [UInt8]
        do throws(FileFailure) {
            guard let found = try file.read(limit: 4096) else { return nil }
            bytes = found
        } catch {
            throw failure(error)
        }
        let text = String(decoding: bytes, as: UTF8.self)
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
        do throws(FileFailure) {
            try file.write(StorageKeyPin.text(key))
        } catch {
            throw failure(error)
        }
    }

    private func failure(_ failure: FileFailure) -> TPMError {
        TPMError(
            .pin, "\(path): cannot \(failure.what): \(systemError(failure.code))",
            hint: "the plugin has to be able to read and write \(directory)")
    }
}
