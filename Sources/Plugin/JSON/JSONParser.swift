/// Why a text is not JSON.
struct JSONError: Error, Equatable {
    /// Bytes before the place where it went wrong.
    let offset: Int
    let reason: String
}

/// RFC 8259, strictly, to a depth of 32. Of two equal names the first counts.
struct JSONParser {
    static let maximumDepth = 32
    private let bytes: [UInt8]
    private var index = 0

    static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes: bytes)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.index == bytes.count else { throw parser.error("text follows the value") }
        return value
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private func error(_ reason: String) -> JSONError { JSONError(offset: index, reason: reason) }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { index += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= JSONParser.maximumDepth else { throw error("nested too deeply") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard bytes[index...].starts(with: word.utf8) else { throw error("a value was expected") }
        index += word.utf8.count
        return value
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        index += 1
        var values: [JSONValue] = []
        if take("]") { return .array([]) }
        repeat { values.append(try value(depth: depth + 1)) } while take(",")
        guard take("]") else { throw error("] or , was expected") }
        return .array(values)
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        index += 1
        var members: [JSONValue.Member] = []
        if take("}") { return .object([]) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw error("a name was expected") }
            let name = try string()
            guard take(":") else { throw error(": was expected") }
            members.append(JSONValue.Member(name: name, value: try value(depth: depth + 1)))
        } while take(",")
        guard take("}") else { throw error("} or , was expected") }
        return .object(members)
    }

    /// By the grammar of RFC 8259: Swift's own conversions take more.
    private mutating func number() throws(JSONError) -> JSONValue {
        let start = index
        skip("-")
        let leadsWithZero = next == 0x30
        let whole = skipDigits()
        var isNumber = whole > 0 && !(leadsWithZero && whole > 1)
        if skip(".") { isNumber = skipDigits() > 0 && isNumber }
        if skip("e") || skip("E") {
            if !skip("-") { skip("+") }
            isNumber = skipDigits() > 0 && isNumber
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isNumber {
            if let integer = Int64(text) { return .integer(integer) }
            if let number = Double(text) { return .number(number) }
        }
        index = start
        throw error("a value was expected")
    }

    @discardableResult
    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    /// - Returns: how many there were.
    private mutating func skipDigits() -> Int {
        let start = index
        while let byte = next, 0x30...0x39 ~= byte { index += 1 }
        return index - start
    }

    private mutating func string() throws(JSONError) -> String {
        index += 1
        var text: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw error("not UTF-8") }
                return string
            case UInt8(ascii: "\\"): text += try escape()
            case 0..<0x20: throw error("a control character in a string")
            default: text.append(byte)
            }
        }
        throw error("a string does not end")
    }

    private mutating func escape() throws(JSONError) -> [UInt8] {
        guard let byte = next else { throw error("a string does not end") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var code = try hex()
            if code >> 10 == 0x36, bytes[index...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
                index += 2
                let low = try hex()
                guard low >> 10 == 0x37 else { throw error("half a surrogate pair") }
                code = 0x10000 + (code & 0x3ff) << 10 + low & 0x3ff
            }
            guard let scalar = Unicode.Scalar(code) else { throw error("half a surrogate pair") }
            return Array(String(scalar).utf8)
        default: throw error("an unknown escape")
        }
    }

    private mutating func hex() throws(JSONError) -> UInt32 {
        let digits = bytes[index...].prefix(4)
        guard digits.count == 4, digits.allSatisfy({ 0x30...0x39 ~= $0 || 0x61...0x66 ~= $0 | 0x20 }),
            let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw error("four hexadecimal digits were expected") }
        index += 4
        return code
    }
}
