internal import Keyring

/// One line of the log as JSON (RFC 8259), for collectors.
enum JSONLogLine {
    private static let fieldsMember = "fields"
    private static let cut = "…"

    /// `{"time":…,"level":…,"message":…,"fields":{…}}` and a line break, in at most `limit` bytes. What does not fit is
    /// cut and ends with `…`, and the fields after it are left out: the line is an object whatever happens.
    ///
    /// - Parameter limit: at least 512.
    static func format(
        time: String, _ level: Log.Level, _ message: String, _ fields: [(String, String)], limit: Int
    ) -> [UInt8] {
        let whole = line(time, level, message, members(fields))
        if whole.count <= limit { return whole }
        // The message is a literal of ours, and yet nothing may break the line.
        let message = shortened(message, to: limit / 4)
        var room = limit - line(time, level, message, []).count - fieldsMember.utf8.count - 6
        var kept: [JSONValue.Member] = []
        for member in members(fields) {
            let size = size(of: member)
            if size <= room {
                kept.append(member)
                room -= size
                continue
            }
            let overhead = size - encodedSize(member.value.string ?? "") + 2
            if overhead + cut.utf8.count <= room {
                let text = shortened(member.value.string ?? "", to: room - overhead)
                kept.append(JSONValue.Member(name: member.name, value: .string(text)))
            }
            break
        }
        return line(time, level, message, kept)
    }

    /// A name once: a second one would make of the object what each reader likes.
    private static func members(_ fields: [(String, String)]) -> [JSONValue.Member] {
        var names: Set<String> = []
        return fields.filter { names.insert($0.0).inserted }.map { JSONValue.Member(name: $0, value: .string($1)) }
    }

    private static func line(
        _ time: String, _ level: Log.Level, _ message: String, _ fields: [JSONValue.Member]
    ) -> [UInt8] {
        let object = JSONValue.members(
            ("time", .string(time)), ("level", .string(LogLine.word(level))), ("message", .string(message)),
            (fieldsMember, fields.isEmpty ? nil : .object(fields)))
        return Array((object.compactText + "\n").utf8)
    }

    /// With its comma.
    private static func size(of member: JSONValue.Member) -> Int {
        encodedSize(member.name) + encodedSize(member.value.string ?? "") + 2
    }

    /// Of a text in its quotes.
    private static func encodedSize(_ text: String) -> Int { JSONValue.string(text).compactText.utf8.count }

    /// The longest start that takes at most `limit` bytes of JSON within its quotes, `…` included.
    private static func shortened(_ text: String, to limit: Int) -> String {
        guard encodedSize(text) - 2 > limit else { return text }
        var room = limit - cut.utf8.count
        var start = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            room -= encodedSize(String(scalar)) - 2
            if room < 0 { break }
            start.append(scalar)
        }
        return String(start) + cut
    }
}
