/// The highest generation that was ever active here: one line with a number.
enum HighestFile {
    static let name = "highest"
    /// 64 bytes.
    static let maximumSize = 64

    static func encode(_ generation: UInt64) -> [UInt8] { Array("\(generation)\n".utf8) }

    /// - Throws: `malformed`.
    static func decode(_ bytes: [UInt8]) throws(FormatError) -> UInt64 {
        guard bytes.last == TextFile.newline, let generation = KeyID.number(bytes.dropLast()) else {
            throw FormatError(.malformed, "highest generation", "not one decimal number from 1 and a newline")
        }
        return generation
    }
}
