internal import Crypto

/// A JSON text as a value. Objects keep the order in which they were made, so that output is for people too.
///
/// Our own, because FoundationEssentials costs a serving plugin 1.4 MB of resident memory, and 2.8 MB from its first use
/// on: more than a tenth of what the whole plugin may have.
indirect enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    struct Member: Sendable, Equatable {
        let name: String
        let value: JSONValue
    }

    /// An object, without the members that are nil.
    static func members(_ members: (String, JSONValue?)...) -> JSONValue { .members(members) }

    /// An object, without the members that are nil.
    static func members(_ members: [(String, JSONValue?)]) -> JSONValue {
        .object(members.compactMap { name, value in value.map { Member(name: name, value: $0) } })
    }

    /// The member of an object; nil when this is none or has no such member.
    subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    var integer: Int64? {
        guard case .integer(let value) = self else { return nil }
        return value
    }

    /// A number of either kind.
    var double: Double? {
        if case .number(let value) = self { return value }
        return integer.map(Double.init)
    }

    /// The items of an array; nil when this is none.
    var items: [JSONValue]? {
        guard case .array(let values) = self else { return nil }
        return values
    }

    /// The members of an object; nil when this is none.
    var members: [Member]? {
        guard case .object(let members) = self else { return nil }
        return members
    }
}

extension JSONValue {
    /// The text, indented by two spaces, with a line break at its end.
    var text: String {
        var text = ""
        write(to: &text, indentation: 0)
        return text + "\n"
    }

    /// The text in one line, without a line break.
    var compactText: String {
        var text = ""
        write(to: &text, indentation: nil)
        return text
    }

    private func write(to text: inout String, indentation: Int?) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        // JSON has no infinity.
        case .number(let value): text += value.isFinite ? "\(value)" : "null"
        case .string(let value): JSONValue.write(value, to: &text)
        case .array(let values):
            JSONValue.writeList("[", "]", values, to: &text, indentation) { value, text, inner in
                value.write(to: &text, indentation: inner)
            }
        case .object(let members):
            JSONValue.writeList("{", "}", members, to: &text, indentation) { member, text, inner in
                JSONValue.write(member.name, to: &text)
                text += inner == nil ? ":" : ": "
                member.value.write(to: &text, indentation: inner)
            }
        }
    }

    private static func writeList<Item>(
        _ opening: String, _ closing: String, _ items: [Item], to text: inout String, _ indentation: Int?,
        write: (Item, inout String, Int?) -> Void
    ) {
        let inner = indentation.map { $0 + 2 }
        text += opening
        for (index, item) in items.enumerated() {
            if index > 0 { text += "," }
            if let inner { text += "\n" + String(repeating: " ", count: inner) }
            write(item, &text, inner)
        }
        if let indentation, !items.isEmpty { text += "\n" + String(repeating: " ", count: indentation) }
        text += closing
    }

    private static func write(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            // Control characters, and what could fool a terminal that shows the text.
            case _ where scalar.value < 0x20 || scalar.value == 0x7f || scalar.changesLayout:
                // Those above 16 bits (tags) would need a surrogate pair; they are shown as what they are not.
                let code = scalar.value > 0xffff ? 0xfffd : scalar.value
                let digits = String(code, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
