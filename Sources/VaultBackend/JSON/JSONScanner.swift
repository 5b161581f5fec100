internal import Crypto

/// Finds the values in a JSON text (RFC 8259, strictly) without copying any of them: an answer may hold a token or a KEK.
///
/// Not recursive: how deeply a text is nested is the server's choice, and a thread's stack is ours.
struct JSONScanner {
    static let maximumDepth = 16
    static let maximumNodes = 4096

    /// A value, or a name in an object, in the order of the text. Those of an object are name, value, name, value …
    struct Node {
        enum Kind { case object, array, string, number, yes, no, null }

        let kind: Kind
        /// Where it stands in the text; a string without its quotes.
        let start: Int
        var end: Int
        /// The index of the next node that is not inside this one.
        var next: Int
        /// A string with a backslash in it.
        var isEscaped = false
    }

    private let text: UnsafeRawBufferPointer
    private let limit: Int
    private var index = 0
    private var nodes: [Node] = []
    /// The nodes that are open, from the outermost.
    private var open: [Int] = []

    /// All nodes, the whole value first; nil unless the text is one JSON value.
    static func scan(_ text: UnsafeRawBufferPointer, limit: Int = maximumNodes) -> [Node]? {
        var scanner = JSONScanner(text, limit)
        return scanner.scan() ? scanner.nodes : nil
    }

    private init(_ text: UnsafeRawBufferPointer, _ limit: Int) {
        self.text = text
        self.limit = limit
    }

    private var next: UInt8? { index < text.count ? text[index] : nil }

    private mutating func scan() -> Bool {
        var wantsValue = true
        while wantsValue {
            guard value() else { return false }
            // What a value may be followed by: the ends of what it is in, and the next one.
            while true {
                skipSpace()
                guard let container = open.last else { return index == text.count }
                let isObject = nodes[container].kind == .object
                if take(isObject ? "}" : "]") {
                    close()
                    continue
                }
                let isFirst = nodes.count == container + 1
                guard isFirst || take(",") else { return false }
                if isObject {
                    skipSpace()
                    guard next == UInt8(ascii: "\""), string(), take(":") else { return false }
                }
                wantsValue = true
                break
            }
        }
        return false
    }

    /// A scalar, or the beginning of an object or array.
    private mutating func value() -> Bool {
        skipSpace()
        guard nodes.count < limit else { return false }
        switch next {
        case UInt8(ascii: "{"): return begin(.object)
        case UInt8(ascii: "["): return begin(.array)
        case UInt8(ascii: "\""): return string()
        case UInt8(ascii: "t"): return word("true", .yes)
        case UInt8(ascii: "f"): return word("false", .no)
        case UInt8(ascii: "n"): return word("null", .null)
        default: return number()
        }
    }

    private mutating func begin(_ kind: Node.Kind) -> Bool {
        guard open.count < JSONScanner.maximumDepth else { return false }
        open.append(nodes.count)
        nodes.append(Node(kind: kind, start: index, end: index, next: 0))
        index += 1
        return true
    }

    private mutating func close() {
        guard let container = open.popLast() else { return }
        nodes[container].end = index
        nodes[container].next = nodes.count
    }

    private mutating func add(_ kind: Node.Kind, _ start: Int, _ end: Int, isEscaped: Bool = false) {
        nodes.append(Node(kind: kind, start: start, end: end, next: nodes.count + 1, isEscaped: isEscaped))
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { index += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func word(_ word: StaticString, _ kind: Node.Kind) -> Bool {
        let start = index
        let count = word.utf8CodeUnitCount
        guard text.count - index >= count,
            word.withUTF8Buffer({ $0.elementsEqual(text[start..<start + count]) })
        else { return false }
        index += count
        add(kind, start, index)
        return true
    }

    private mutating func digits() -> Int {
        let start = index
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { index += 1 }
        return index - start
    }

    private mutating func number() -> Bool {
        let start = index
        if next == UInt8(ascii: "-") { index += 1 }
        let first = next
        let count = digits()
        guard count == 1 || count > 1 && first != UInt8(ascii: "0") else { return false }
        if next == UInt8(ascii: ".") {
            index += 1
            guard digits() > 0 else { return false }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            index += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { index += 1 }
            guard digits() > 0 else { return false }
        }
        add(.number, start, index)
        return true
    }

    private mutating func string() -> Bool {
        guard nodes.count < limit else { return false }
        index += 1
        let start = index
        var isEscaped = false
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                add(.string, start, index - 1, isEscaped: isEscaped)
                return true
            case UInt8(ascii: "\\"):
                isEscaped = true
                guard escape() else { return false }
            case 0..<0x20: return false
            default: break
            }
        }
        return false
    }

    /// Whether half a surrogate pair is one is found when the string is read.
    private mutating func escape() -> Bool {
        guard let byte = next else { return false }
        index += 1
        guard byte == UInt8(ascii: "u") else { return "\"\\/bfnrt".utf8.contains(byte) }
        for _ in 0..<4 {
            guard let digit = next, UInt8(hexDigit: digit) != nil else { return false }
            index += 1
        }
        return true
    }
}
