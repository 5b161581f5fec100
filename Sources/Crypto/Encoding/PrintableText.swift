/// Text of others (devices, servers, files) for one line of a terminal or a log: it cannot end the line, move the cursor
/// or show something else than it is.
public enum PrintableText {
    /// With what changes the layout as an escape: `\u{1b}`.
    public static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: \.changesLayout) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar.changesLayout { result += escape(scalar) } else { result.unicodeScalars.append(scalar) }
        }
        return result
    }

    /// With what changes the layout as a space.
    public static func spaced(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.changesLayout ? " " : $0 }))
    }

    /// A character as an escape: `\u{1b}`.
    package static func escape(_ scalar: Unicode.Scalar) -> String { "\\u{\(String(scalar.value, radix: 16))}" }
}

extension Unicode.Scalar {
    /// Controls, direction overrides, line separators and the like: characters that show something else than they are.
    package var changesLayout: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
        default: false
        }
    }
}
