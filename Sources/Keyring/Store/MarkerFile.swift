internal import Crypto

/// The mark of an `init` or a `recover` that has not come to its end: it names the keyring that was being made.
enum MarkerFile {
    static let name = "init-in-progress"
    /// 4 KiB.
    static let maximumSize = 4096

    static func encode(_ keyringID: [UInt8]) -> [UInt8] {
        Array(
            """
            # trousseau init or recover has begun here and not ended: run it again.
            keyring: \(Hex.encode(keyringID))

            """.utf8)
    }

    /// - Throws: `malformed`.
    static func decode(_ bytes: [UInt8]) throws(FormatError) -> [UInt8] {
        guard let lines = TextFile.lines(bytes), lines.count == 1,
            let keyringID = TextFile.value("keyring", of: lines[0]).flatMap({ Hex.decode($0) }),
            keyringID.count == KeyringIdentity.idSize
        else { throw FormatError(.malformed, "mark", "does not name a keyring") }
        return keyringID
    }
}
