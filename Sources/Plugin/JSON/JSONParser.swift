internal import Crypto

/// RFC 8259, strictly, to a depth of 32. Of two equal names the first counts.
struct JSONParser {
    static let maximumDepth = 32
    private var cursor: JSONCursor

    static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        var parser = JSONParser(cursor: JSONCursor(bytes))
        let value = try parser.value(depth: 0)
        try parser.cursor.finish()
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= JSONParser.maximumDepth else { throw cursor.error("nested too deeply") }
        cursor.skipSpace()
        switch cursor.next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try cursor.string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        try cursor.word(word)
        return value
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        _ = cursor.take("[")
        var values: [JSONValue] = []
        if cursor.take("]") { return .array([]) }
        repeat { values.append(try value(depth: depth + 1)) } while cursor.take(",")
        guard cursor.take("]") else { throw cursor.error("] or , was expected") }
        return .array(values)
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        _ = cursor.take("{")
        var members: [JSONValue.Member] = []
        if cursor.take("}") { return .object([]) }
        repeat {
            cursor.skipSpace()
            guard cursor.next == UInt8(ascii: "\"") else { throw cursor.error("a name was expected") }
            let name = try cursor.string()
            guard cursor.take(":") else { throw cursor.error(": was expected") }
            members.append(JSONValue.Member(name: name, value: try value(depth: depth + 1)))
        } while cursor.take(",")
        guard cursor.take("}") else { throw cursor.error("} or , was expected") }
        return .object(members)
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let expected = cursor.error("a value was expected")
        guard let text = try? cursor.number() else { throw expected }
        if let integer = Int64(text) { return .integer(integer) }
        if let number = Double(text) { return .number(number) }
        throw expected
    }
}
