/// Spans of time as they are written in configurations and on the command line: `500ms`, `10s`, `5m`, `1h`.
public enum DurationText {
    /// Nil unless `text` is a whole number and a unit, and fits.
    public static func parse(_ text: String) -> Duration? {
        let digits = text.utf8.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        guard !digits.isEmpty, digits.count <= 9, let number = Int64(String(decoding: Array(digits), as: UTF8.self))
        else {
            return nil
        }
        switch String(decoding: Array(text.utf8.dropFirst(digits.count)), as: UTF8.self) {
        case "ms": return .milliseconds(number)
        case "s": return .seconds(number)
        case "m": return .seconds(number * 60)
        case "h": return .seconds(number * 3600)
        default: return nil
        }
    }

    /// The shortest way to write whole milliseconds; `parse` takes it back.
    public static func format(_ duration: Duration) -> String {
        let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        if milliseconds % 1000 != 0 { return "\(milliseconds)ms" }
        let seconds = milliseconds / 1000
        if seconds == 0 || seconds % 60 != 0 { return "\(seconds)s" }
        return seconds % 3600 == 0 ? "\(seconds / 3600)h" : "\(seconds / 60)m"
    }
}
