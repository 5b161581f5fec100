internal import Crypto
internal import Glibc

/// A record at rest: some lines for people, then the record between PEM's lines, in base64 of 64 characters a line.
enum RecordFile {
    /// 32 KiB, for a file.
    static let maximumSize = 32768
    static let suffix = ".record"

    private static let begin = "-----BEGIN TROUSSEAU KEYRING RECORD-----"
    private static let end = "-----END TROUSSEAU KEYRING RECORD-----"
    private static let lineLength = 64

    /// `<generation>-<16 base32 characters of the kekID>.record`
    static func name(_ identity: Identity) -> String { name(generation: identity.generation, identity.kekID) }

    static func name(generation: UInt64, _ kekID: KEKID) -> String { "\(generation)-\(kekID)\(suffix)" }

    static func encode(_ record: Record) -> [UInt8] {
        let identity = record.identity
        var text = """
            Trousseau keyring record: one key-encryption key, sealed to each of its recipients.
            Only the block below is read; these lines say what it holds.

            keyring:    \(identity.keyring.name) (\(Hex.encode(identity.keyring.keyringID)))
            generation: \(identity.generation)
            kekID:      \(Hex.encode(identity.kekID.bytes))
            created:    \(time(identity.created))

            """
        for seal in record.seals {
            text += "recipient:  \(seal.recipientID)\(seal.isTombstone ? " (removed)" : "")\n"
        }
        for voucher in record.vouchers {
            text += "voucher:    generation \(voucher.generation), \(voucher.kekID)\n"
        }
        text += "\n\(begin)\n"
        var body = Base64.encode(record.encoded)[...]
        while !body.isEmpty {
            text += body.prefix(lineLength) + "\n"
            body = body.dropFirst(lineLength)
        }
        return Array((text + end + "\n").utf8)
    }

    /// - Throws: `malformed`, or what `Record.init(decoding:)` throws.
    static func decode(_ bytes: [UInt8]) throws(FormatError) -> Record {
        let lines = bytes.split(separator: TextFile.newline, omittingEmptySubsequences: false)
        let first = Array(begin.utf8)
        let last = Array(end.utf8)
        guard let start = lines.firstIndex(where: { $0.elementsEqual(first) }),
            let stop = lines.lastIndex(where: { $0.elementsEqual(last) }), start + 1 < stop
        else { throw FormatError(.malformed, "record", "no complete block of PEM's form") }
        let body = lines[(start + 1)..<stop]
        guard stop == lines.count - 2, lines[stop + 1].isEmpty, body.dropLast().allSatisfy({ $0.count == lineLength }),
            let tail = body.last, 1...lineLength ~= tail.count,
            let encoded = Base64.decode(String(decoding: Array(body.joined()), as: UTF8.self))
        else { throw FormatError(.malformed, "record", "its block is not base64 in lines of 64 characters") }
        return try Record(decoding: encoded)
    }

    /// RFC 3339 in UTC.
    private static func time(_ seconds: UInt64) -> String {
        var clock = time_t(clamping: seconds)
        var parts = tm()
        // The year 9999 is the last one of four digits.
        guard seconds < 253_402_300_800, gmtime_r(&clock, &parts) != nil else { return "\(seconds) s after 1970" }
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
            + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    }
}
