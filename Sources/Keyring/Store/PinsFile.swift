internal import Crypto

/// Pins at rest: lines of text, one a backend.
enum PinsFile {
    static let name = "pins"
    /// 64 KiB.
    static let maximumSize = 65536

    private static let explanation =
        "# The sealing keys that this node's backends are known by; no others get a seal unasked. Written by trousseau."
    private static let malformed = FormatError(.malformed, "pins", "a line is missing or not as it should be")

    /// - Throws: `tooLarge`.
    static func encode(_ pins: Pins) throws(FormatError) -> [UInt8] {
        let bytes = Array((explanation + "\n" + lines(pins)).utf8)
        guard bytes.count <= maximumSize else {
            throw FormatError(.tooLarge, "pins", "\(bytes.count) bytes, at most \(maximumSize)")
        }
        return bytes
    }

    private static func lines(_ pins: Pins) -> String {
        """
        format: 1
        keyring: \(Hex.encode(pins.keyring.keyringID))
        name: \(pins.keyring.name)
        kek: \(Hex.encode(pins.kekID.bytes))

        """ + pins.entries.map { "pin: \(text($0))\n" }.joined() + "mac: \(Hex.encode(pins.mac))\n"
    }

    private static func text(_ entry: Pins.Entry) -> String {
        "\(entry.backend) \(entry.recipients.isEmpty ? "-" : entry.recipients.joined(separator: ","))"
    }

    /// Lines that begin with "#" do not count; the others have one spelling.
    ///
    /// - Throws: `malformed`, `conflict`, `unsupported`.
    static func decode(_ bytes: [UInt8]) throws(FormatError) -> Pins {
        guard let lines = TextFile.lines(bytes), let format = lines.first.flatMap({ TextFile.value("format", of: $0) })
        else { throw malformed }
        guard format == "1" else { throw FormatError(.unsupported, "pins", "of a later version (format \(format))") }
        guard lines.count >= 5,
            let keyringID = TextFile.value("keyring", of: lines[1]).flatMap({ Hex.decode($0) }),
            let name = TextFile.value("name", of: lines[2]),
            let kekID = TextFile.value("kek", of: lines[3]).flatMap({ Hex.decode($0) }).flatMap({ KEKID($0) }),
            let mac = TextFile.value("mac", of: lines[lines.count - 1]).flatMap({ Hex.decode($0) }),
            mac.count == HMACSHA256.size
        else { throw malformed }
        var entries: [Pins.Entry] = []
        for line in lines[4..<(lines.count - 1)] {
            guard let parts = TextFile.value("pin", of: line)?.split(separator: " ", omittingEmptySubsequences: false),
                parts.count == 2
            else { throw malformed }
            let recipients = parts[1] == "-" ? [] : parts[1].split(separator: ",", omittingEmptySubsequences: false)
            entries.append(Pins.Entry(String(parts[0]), recipients.map(String.init)))
        }
        let pins = try Pins(
            keyring: try KeyringIdentity(keyringID: keyringID, name: String(name)), kekID: kekID, entries: entries,
            mac: mac)
        // Upper-case digits, IDs out of order or twice.
        guard self.lines(pins) == lines.map({ $0 + "\n" }).joined() else { throw malformed }
        return pins
    }
}
