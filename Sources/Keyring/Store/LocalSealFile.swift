internal import Crypto

/// A node-local seal at rest: five lines of text, an empty line, then the backend's own bytes as they are, so that its
/// own tools open them (those that read PEM skip the text by themselves).
enum LocalSealFile {
    static let directory = "local"
    static let suffix = ".seal"
    /// 32 KiB.
    static let maximumSize = 32768
    /// 16 KiB in the backend's own format.
    static let maximumSealSize = 16384

    /// `<16 base32 characters of the kekID>-<kind>-<the rest of the recipient's ID>.seal`
    ///
    /// - Throws: `malformed` for a recipient that cannot be in a record either.
    static func name(kekID: KEKID, recipient: Recipient) throws(FormatError) -> String {
        try RecipientRules.check(recipient)
        return "\(kekID)-\(recipient.kind)-\(recipient.id.dropFirst(recipient.kind.count + 1))\(suffix)"
    }

    /// - Throws: `malformed`, `tooLarge`.
    static func encode(_ seal: Seal) throws(FormatError) -> [UInt8] {
        try RecipientRules.check(seal.recipient)
        guard 1...maximumSealSize ~= seal.bytes.count else {
            throw FormatError(.tooLarge, "local seal", "\(seal.bytes.count) bytes, not 1 to \(maximumSealSize)")
        }
        return Array(header(seal).utf8) + seal.bytes
    }

    private static func header(_ seal: Seal) -> String {
        """
        trousseau node-local seal, format 1
        kek: \(Hex.encode(seal.kekID.bytes))
        recipient: \(seal.recipient.id)
        kind: \(seal.recipient.kind)
        description: \(Base64.encode(seal.recipient.description))


        """
    }

    /// - Throws: `malformed`, `tooLarge`.
    static func decode(_ bytes: [UInt8]) throws(FormatError) -> Seal {
        let malformed = FormatError(.malformed, "local seal", "its first five lines are not as they should be")
        // The sixth newline ends the empty line; what follows is the backend's.
        guard let end = bytes.indices.lazy.filter({ bytes[$0] == TextFile.newline }).dropFirst(5).first,
            let lines = TextFile.lines(bytes[...end]), lines.count == 6,
            let kekID = TextFile.value("kek", of: lines[1]).flatMap({ Hex.decode($0) }).flatMap({ KEKID($0) }),
            let id = TextFile.value("recipient", of: lines[2]), let kind = TextFile.value("kind", of: lines[3]),
            let description = TextFile.value("description", of: lines[4]).flatMap({ Base64.decode($0) })
        else { throw malformed }
        let recipient = Recipient(id: String(id), kind: String(kind), description: description)
        let seal = Seal(recipient: recipient, kekID: kekID, bytes: Array(bytes[(end + 1)...]))
        guard try encode(seal) == bytes else { throw malformed }
        return seal
    }
}
