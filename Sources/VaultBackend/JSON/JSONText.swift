internal import Crypto

/// Strings as JSON has them.
enum JSONText {
    /// In quotes, with everything escaped that has to be.
    static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\" + String(scalar)
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// The text between two quotes, without its escapes; nil for half a surrogate pair, or what is not UTF-8.
    static func unescape(_ bytes: UnsafeRawBufferPointer) -> String? {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count else {
                text.append(bytes[index])
                index += 1
                continue
            }
            let escape = bytes[index + 1]
            index += 2
            switch escape {
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0c)
            case UInt8(ascii: "n"): text.append(0x0a)
            case UInt8(ascii: "r"): text.append(0x0d)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"):
                guard let scalar = scalar(bytes, &index) else { return nil }
                text += Array(String(scalar).utf8)
            default: text.append(escape)
            }
        }
        return String(validating: text, as: UTF8.self)
    }

    private static func scalar(_ bytes: UnsafeRawBufferPointer, _ index: inout Int) -> Unicode.Scalar? {
        guard var code = unit(bytes, index) else { return nil }
        index += 4
        if code >> 10 == 0x36 {
            guard index + 6 <= bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u"),
                let low = unit(bytes, index + 2), low >> 10 == 0x37
            else { return nil }
            index += 6
            code = 0x10000 + (code & 0x3ff) << 10 + low & 0x3ff
        }
        return Unicode.Scalar(code)
    }

    private static func unit(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> UInt32? {
        guard index + 4 <= bytes.count else { return nil }
        var code: UInt32 = 0
        for byte in bytes[index..<index + 4] {
            guard let digit = UInt8(hexDigit: byte) else { return nil }
            code = code << 4 | UInt32(digit)
        }
        return code
    }
}
