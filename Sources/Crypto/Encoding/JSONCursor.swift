/// Why a text is not the JSON that it should be.
package struct JSONError: Error, Equatable {
    /// Bytes before the place where it went wrong.
    package let offset: Int
    /// What is wrong, lower case, without a final period.
    package let reason: String
}

/// A place in a JSON text (RFC 8259, strictly): what every reader of it needs, whatever it makes of the values.
package struct JSONCursor {
    private let bytes: [UInt8]
    private var index = 0

    /// At the text's beginning.
    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Something is wrong at this place.
    package func error(_ reason: String) -> JSONError { JSONError(offset: index, reason: reason) }

    /// The byte at this place; nil at the end.
    package var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    /// Passes over white space.
    package mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { index += 1 }
    }

    /// Passes over a character, and white space before it, if it comes next.
    package mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        return skip(character)
    }

    /// Nothing but white space may follow.
    package mutating func finish() throws(JSONError) {
        skipSpace()
        guard next == nil else { throw error("text follows the value") }
    }

    /// `true`, `false` or `null`.
    package mutating func word(_ word: String) throws(JSONError) {
        guard bytes[index...].starts(with: word.utf8) else { throw error("a value was expected") }
        index += word.utf8.count
    }

    /// The text of a number, by the grammar of RFC 8259: Swift's own conversions take more.
    package mutating func number() throws(JSONError) -> String {
        let start = index
        skip("-")
        let leadsWithZero = next == UInt8(ascii: "0")
        let whole = skipDigits()
        guard whole > 0, !leadsWithZero || whole == 1 else { throw error("a value was expected") }
        if skip(".") {
            guard skipDigits() > 0 else { throw error("a digit was expected") }
        }
        if skip("e") || skip("E") {
            if !skip("-") { skip("+") }
            guard skipDigits() > 0 else { throw error("a digit was expected") }
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    /// The string whose opening quote comes next, without its escapes.
    package mutating func string() throws(JSONError) -> String {
        guard skip("\"") else { throw error("a string was expected") }
        var text: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw error("not UTF-8") }
                return string
            case UInt8(ascii: "\\"): text += Array(String(try escape()).utf8)
            case 0..<0x20: throw error("a control character in a string")
            default: text.append(byte)
            }
        }
        throw error("a string does not end")
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
        while let byte = next, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { index += 1 }
        return index - start
    }

    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        guard let byte = next else { throw error("a string does not end") }
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
                guard low >> 10 == 0x37 else { throw error("half a surrogate pair") }
                code = 0x10000 + (code & 0x3ff) << 10 + low & 0x3ff
            }
            guard let scalar = Unicode.Scalar(code) else { throw error("half a surrogate pair") }
            return scalar
        default: throw error("an unknown escape")
        }
    }

    private mutating func hex() throws(JSONError) -> UInt32 {
        let digits = bytes[index...].prefix(4).map(UInt8.init(hexDigit:))
        var code: UInt32 = 0
        for digit in digits {
            guard let digit else { throw error("four hexadecimal digits were expected") }
            code = code << 4 | UInt32(digit)
        }
        guard digits.count == 4 else { throw error("four hexadecimal digits were expected") }
        index += 4
        return code
    }
}
