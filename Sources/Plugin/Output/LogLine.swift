internal import Crypto
internal import Glibc
internal import Keyring

/// One line of the log.
enum LogLine {
    /// `2026-01-31T12:34:56.789Z warning a message key=value other="with spaces"`, and a line break. What is longer than
    /// `limit` bytes is cut and ends with `…`.
    static func format(
        time: String, _ level: Log.Level, _ message: String, _ fields: [(String, String)], limit: Int
    ) -> [UInt8] {
        var text = "\(time) \(word(level)) \(escaped(message, quotes: false))"
        for (name, value) in fields { text += " \(escaped(name, quotes: false))=\(quoted(value))" }
        var line = Array(text.utf8)
        if line.count >= limit {
            let end = Array("…".utf8)
            var cut = limit - end.count - 1
            // Not within a character.
            while cut > 0 && line[cut] & 0xc0 == 0x80 { cut -= 1 }
            line = line[..<cut] + end
        }
        return line + [UInt8(ascii: "\n")]
    }

    static func word(_ level: Log.Level) -> String {
        switch level {
        case .debug: "debug"
        case .info: "info"
        case .warning: "warning"
        case .error: "error"
        }
    }

    private static func quoted(_ value: String) -> String {
        let isPlain =
            !value.isEmpty
            && value.unicodeScalars.allSatisfy {
                $0 != " " && $0 != "\"" && $0 != "=" && $0 != "\\" && !$0.changesLayout
            }
        return isPlain ? value : "\"\(escaped(value, quotes: true))\""
    }

    /// Control characters and their like as escapes, so that nobody can write lines of their own into the log.
    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\\": result += "\\\\"
            case "\"" where quotes: result += "\\\""
            case _ where scalar.changesLayout: result += PrintableText.escape(scalar)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Now, in UTC to the millisecond: `2026-01-31T12:34:56.789Z`.
    static func time() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return time(seconds: now.tv_sec, milliseconds: now.tv_nsec / 1_000_000)
    }

    /// A time of `seconds` since 1970, UTC; without milliseconds when they are nil.
    static func time(seconds: Int, milliseconds: Int?) -> String {
        var seconds = time_t(seconds)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let date =
            "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
        let clock = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
        return "\(date)T\(clock)" + (milliseconds.map { ".\(padded($0, 3))" } ?? "") + "Z"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
