internal import Crypto

/// Reads JSON (RFC 8259, strictly) in one pass, without building a tree: nested at most 16 deep, and no name twice in an
/// object. What comes of it is decided by the closures that it calls.
struct JSONReader {
    private static let maximumDepth = 16
    private var cursor: JSONCursor
    private var depth = 0

    init(_ bytes: [UInt8]) {
        cursor = JSONCursor(bytes)
    }

    func failure(_ reason: String) -> JSONError { cursor.error(reason) }

    /// Nothing but white space may follow.
    mutating func finish() throws(JSONError) { try cursor.finish() }

    /// An object; `member` has to read the value of each name, or skip it.
    mutating func object(_ member: (String, inout JSONReader) throws(JSONError) -> Void) throws(JSONError) {
        try enter("{")
        if cursor.take("}") { return leave() }
        var names: Set<String> = []
        repeat {
            let name = try string()
            guard names.insert(name).inserted else { throw failure("a name stands twice in an object") }
            guard cursor.take(":") else { throw failure(": was expected") }
            try member(name, &self)
        } while cursor.take(",")
        guard cursor.take("}") else { throw failure("} or , was expected") }
        leave()
    }

    /// An array; `element` has to read each element, or skip it.
    mutating func array(_ element: (inout JSONReader) throws(JSONError) -> Void) throws(JSONError) {
        try enter("[")
        if cursor.take("]") { return leave() }
        repeat { try element(&self) } while cursor.take(",")
        guard cursor.take("]") else { throw failure("] or , was expected") }
        leave()
    }

    /// A whole number from 0 to `limit`.
    mutating func integer(upTo limit: Int) throws(JSONError) -> Int {
        let text = try number()
        guard let value = Int(text), 0...limit ~= value else {
            throw failure("a number from 0 to \(limit) was expected")
        }
        return value
    }

    mutating func string() throws(JSONError) -> String {
        cursor.skipSpace()
        return try cursor.string()
    }

    /// Any value.
    mutating func skip() throws(JSONError) {
        cursor.skipSpace()
        switch cursor.next {
        case UInt8(ascii: "{"): try object { (_, reader) throws(JSONError) in try reader.skip() }
        case UInt8(ascii: "["): try array { (reader) throws(JSONError) in try reader.skip() }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try cursor.word("true")
        case UInt8(ascii: "f"): try cursor.word("false")
        case UInt8(ascii: "n"): try cursor.word("null")
        default: _ = try number()
        }
    }

    private mutating func number() throws(JSONError) -> String {
        cursor.skipSpace()
        return try cursor.number()
    }

    private mutating func enter(_ bracket: Unicode.Scalar) throws(JSONError) {
        guard cursor.take(bracket) else { throw failure("\(bracket) was expected") }
        depth += 1
        guard depth <= JSONReader.maximumDepth else { throw failure("nested too deeply") }
    }

    private mutating func leave() { depth -= 1 }
}
