/// Reads JSON (RFC 8259, strictly) in one pass, without building a tree: nested at most 16 deep, and no name twice in an
/// object. What comes of it is decided by the closures that it calls.
struct JSONReader {
    /// Why a text is not what it should be.
    struct Failure: Error, Equatable {
        /// Bytes before the place where it went wrong.
        let offset: Int
        let reason: String
    }

    private static let maximumDepth = 16
    private let bytes: [UInt8]
    private var index = 0
    private var depth = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    func failure(_ reason: String) -> Failure { Failure(offset: index, reason: reason) }

    /// Nothing but white space may follow.
    mutating func finish() throws(Failure) {
        skipSpace()
        guard index == bytes.count else { throw failure("text follows the value") }
    }

    /// An object; `member` has to read the value of each name, or skip it.
    mutating func object(_ member: (String, inout JSONReader) throws(Failure) -> Void) throws(Failure) {
        try enter("{")
        if take("}") { return leave() }
        var names: Set<String> = []
        repeat {
            let name = try string()
            guard names.insert(name).inserted else { throw failure("a name stands twice in an object") }
            guard take(":") else { throw failure(": was expected") }
            try member(name, &self)
        } while take(",")
        guard take("}") else { throw failure("} or , was expected") }
        leave()
    }

    /// An array; `element` has to read each element, or skip it.
    mutating func array(_ element: (inout JSONReader) throws(Failure) -> Void) throws(Failure) {
        try enter("[")
        if take("]") { return leave() }
        repeat { try element(&self) } while take(",")
        guard take("]") else { throw failure("] or , was expected") }
        leave()
    }

    /// A whole number from 0 to `limit`.
    mutating func integer(upTo limit: Int) throws(Failure) -> Int {
        let text = try number()
        guard let value = Int(text), 0...limit ~= value else {
            throw failure("a number from 0 to \(limit) was expected")
        }
        return value
    }

    mutating func string() throws(Failure) -> String {
        guard take("\"") else { throw failure("a string was expected") }
        var text: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw failure("not UTF-8") }
                return string
            case UInt8(ascii: "\\"): text += Array(String(try escape()).utf8)
            case 0..<0x20: throw failure("a control character in a string")
            default: text.append(byte)
            }
        }
        throw failure("a string does not end")
    }

    /// Any value.
    mutating func skip() throws(Failure) {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): try object { (_, reader) throws(Failure) in try reader.skip() }
        case UInt8(ascii: "["): try array { (reader) throws(Failure) in try reader.skip() }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: _ = try number()
        }
    }

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

    private mutating func enter(_ bracket: Unicode.Scalar) throws(Failure) {
        guard take(bracket) else { throw failure("\(bracket) was expected") }
        depth += 1
        guard depth <= JSONReader.maximumDepth else { throw failure("nested too deeply") }
    }

    private mutating func leave() { depth -= 1 }

    private mutating func word(_ word: StaticString) throws(Failure) {
        let text = Array("\(word)".utf8)
        guard bytes[index...].starts(with: text) else { throw failure("a value was expected") }
        index += text.count
    }

    /// The text of a number in JSON's grammar.
    private mutating func number() throws(Failure) -> String {
        skipSpace()
        let start = index
        if next == UInt8(ascii: "-") { index += 1 }
        let zero = next == UInt8(ascii: "0")
        guard let whole = digits(), !zero || whole == 1 else { throw failure("a value was expected") }
        if next == UInt8(ascii: ".") {
            index += 1
            guard digits() != nil else { throw failure("a digit was expected") }
        }
        if let byte = next, byte | 0x20 == UInt8(ascii: "e") {
            index += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { index += 1 }
            guard digits() != nil else { throw failure("a digit was expected") }
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    /// How many digits were passed over; nil for none.
    private mutating func digits() -> Int? {
        let start = index
        while let byte = next, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { index += 1 }
        return index == start ? nil : index - start
    }

    private mutating func escape() throws(Failure) -> Unicode.Scalar {
        guard let byte = next else { throw failure("a string does not end") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{08}"
        case UInt8(ascii: "f"): return "\u{0c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            var code = try hex()
            if code >> 10 == 0x36, bytes[index...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
                index += 2
                let low = try hex()
                guard low >> 10 == 0x37 else { throw failure("half a surrogate pair") }
                code = 0x10000 + (code & 0x3ff) << 10 + low & 0x3ff
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
            return scalar
        default: throw failure("an unknown escape")
        }
    }

    private mutating func hex() throws(Failure) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("four hexadecimal digits were expected")
            }
            code = code << 4 | UInt32(digit)
            index += 1
        }
        return code
    }
}
