/// What a recipient's kind, ID and description may be: safe in file names and in a terminal, and bounded.
enum RecipientRules {
    /// 512 bytes.
    static let maximumDescriptionSize = 512

    /// - Throws: `malformed`, `tooLarge`.
    static func check(_ recipient: Recipient) throws(FormatError) {
        try check(id: Array(recipient.id.utf8), kind: Array(recipient.kind.utf8))
        guard recipient.description.count <= maximumDescriptionSize else {
            throw FormatError(
                .tooLarge, "record",
                "the description of \(recipient.id) is longer than \(maximumDescriptionSize) bytes")
        }
    }

    /// Kinds are `[a-z][-a-z0-9]{0,31}`; IDs are the kind, ":" and `[a-z0-9]{1,64}`.
    ///
    /// - Throws: `malformed`.
    static func check(id: [UInt8], kind: [UInt8]) throws(FormatError) {
        guard 1...32 ~= kind.count, let first = kind.first, isLetter(first),
            kind.allSatisfy({ isAlphanumeric($0) || $0 == UInt8(ascii: "-") })
        else { throw FormatError(.malformed, "record", "a recipient's kind is not a name") }
        let digits = id.dropFirst(kind.count + 1)
        guard id.starts(with: kind + [UInt8(ascii: ":")]), 1...64 ~= digits.count, digits.allSatisfy(isAlphanumeric)
        else { throw FormatError(.malformed, "record", "a recipient's ID is not <kind>:<1 to 64 characters>") }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isLetter(byte) || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
    }
}
