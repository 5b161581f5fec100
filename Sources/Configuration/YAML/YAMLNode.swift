/// A piece of a YAML document, with the line it starts at.
struct YAMLNode {
    enum Content {
        /// `plain` when it was written without quotes, so that it may stand for a number, a truth value or nothing.
        case scalar(String, plain: Bool)
        case sequence([YAMLNode])
        case mapping([Entry])
        /// Already reported (an alias, a tag, too deep); says nothing more.
        case refused
    }

    /// One key of a mapping. Each key occurs once: later ones were reported and dropped.
    struct Entry {
        let key: String
        /// Of the key, from 1.
        let line: Int
        let value: YAMLNode
    }

    /// From 1.
    let line: Int
    let content: Content
}

extension YAMLNode {
    /// What a plain scalar stands for (YAML 1.2's core schema; 1.1's `yes`, `on` and octal `0600` stay text, and every
    /// reader of them says so).
    enum Meaning: Equatable {
        case null
        case bool(Bool)
        case integer(Int)
        /// A number that is not an integer of 64 bits in decimal digits.
        case number
        case text(String)
    }

    static func meaning(of text: String, plain: Bool) -> Meaning {
        guard plain else { return .text(text) }
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        let bytes = Array(text.utf8)
        let digits =
            bytes.first == UInt8(ascii: "-") || bytes.first == UInt8(ascii: "+") ? bytes.dropFirst() : bytes[...]
        guard let first = digits.first, isDigit(first) || first == UInt8(ascii: ".") else { return .text(text) }
        if digits.allSatisfy(isDigit) {
            // A leading zero is octal to YAML 1.1 and decimal to 1.2: nobody can tell what was meant.
            if digits.count > 1 && first == UInt8(ascii: "0") { return .number }
            return Int(text).map(Meaning.integer) ?? .number
        }
        let isNumber = digits.allSatisfy {
            isDigit($0) || [".", "e", "E", "+", "-", "_"].contains(Character(.init($0)))
        }
        let isPrefixed = text.hasPrefix("0x") || text.hasPrefix("0o")
        return Double(text) != nil && (isNumber || isPrefixed) || isPrefixed && digits.count > 2 ? .number : .text(text)
    }

    /// What the node is, for "expected …, found …". Never tells text or numbers: it might be a PIN.
    var kindDescription: String {
        switch content {
        case .sequence: return "a list"
        case .mapping: return "a mapping"
        case .refused: return "nothing"
        case .scalar(let text, let plain):
            switch YAMLNode.meaning(of: text, plain: plain) {
            case .null: return "nothing"
            case .bool(let value): return "\(value)"
            case .integer, .number: return "a number"
            case .text: return "text"
            }
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
}
