internal import CYAML

/// Reads one YAML document through libyaml's events.
///
/// The events and not libyaml's own document tree: that one resolves aliases into cycles, and it drops the second of two
/// equal keys only after it has built both.
struct YAMLDocument {
    /// 256 kB: a configuration has about 2 kB.
    static let maximumSize = 256 * 1024
    /// The schema needs 5.
    static let maximumDepth = 16

    private var parser: EventStream
    private let diagnosis: Diagnosis

    /// The document's root, or nil when the text is not YAML at all (which is then reported) or empty.
    static func read(_ bytes: [UInt8], into diagnosis: Diagnosis) -> YAMLNode? {
        guard bytes.count <= maximumSize else {
            diagnosis.add(1, "", "is larger than \(maximumSize / 1024) kB", hint: "is this the right file?")
            return nil
        }
        return bytes.withUnsafeBufferPointer { text in
            var document = YAMLDocument(parser: EventStream(text), diagnosis: diagnosis)
            defer { document.parser.close() }
            do throws(YAMLSyntaxError) {
                return try document.root()
            } catch {
                diagnosis.add(error.line, "", error.reason, hint: error.hint)
                return nil
            }
        }
    }

    private mutating func root() throws(YAMLSyntaxError) -> YAMLNode? {
        _ = try parser.next()  // the start of the stream
        let first = try parser.next()
        guard case .documentStart = first.kind else {
            diagnosis.add(1, "", "is empty", hint: "docs/configuration.md has an example")
            return nil
        }
        let node = try node(at: try parser.next(), key: "", depth: 0)
        _ = try parser.next()  // the end of the document
        let after = try parser.next()
        if case .documentStart = after.kind {
            diagnosis.add(after.line, "", "a second document begins here", hint: "a configuration is one document")
        }
        return node
    }

    private mutating func node(at event: YAMLEvent, key: String, depth: Int) throws(YAMLSyntaxError) -> YAMLNode {
        if depth > YAMLDocument.maximumDepth {
            throw YAMLSyntaxError(line: event.line, reason: "is nested deeper than \(YAMLDocument.maximumDepth) levels")
        }
        if event.hasAnchor {
            diagnosis.add(
                event.line, key, "anchors (&name) and aliases (*name) are not allowed", hint: "write the value out")
        }
        if event.hasTag {
            diagnosis.add(event.line, key, "tags (!type) are not allowed", hint: "write the value without its tag")
        }
        switch event.kind {
        case .scalar(let text, let plain):
            return YAMLNode(line: event.line, content: .scalar(text, plain: plain && !event.hasTag))
        case .sequenceStart:
            return YAMLNode(line: event.line, content: .sequence(try sequence(key: key, depth: depth)))
        case .mappingStart:
            return YAMLNode(line: event.line, content: .mapping(try mapping(key: key, depth: depth)))
        case .alias:
            return YAMLNode(line: event.line, content: .refused)
        case .documentStart, .end, .other:
            throw YAMLSyntaxError(line: event.line, reason: "a value was expected here")
        }
    }

    private mutating func sequence(key: String, depth: Int) throws(YAMLSyntaxError) -> [YAMLNode] {
        var items: [YAMLNode] = []
        while true {
            let event = try parser.next()
            if case .end = event.kind { return items }
            items.append(try node(at: event, key: "\(key)[\(items.count)]", depth: depth + 1))
        }
    }

    private mutating func mapping(key: String, depth: Int) throws(YAMLSyntaxError) -> [YAMLNode.Entry] {
        var entries: [YAMLNode.Entry] = []
        var lines: [String: Int] = [:]
        while true {
            let event = try parser.next()
            if case .end = event.kind { return entries }
            let name = try node(at: event, key: key, depth: depth + 1)
            guard case .scalar(let text, _) = name.content else {
                if case .refused = name.content {} else { diagnosis.add(event.line, key, "a key has to be text") }
                _ = try node(at: try parser.next(), key: key, depth: depth + 1)
                continue
            }
            let path = KeyPath.join(key, text)
            let value = try node(at: try parser.next(), key: path, depth: depth + 1)
            if let earlier = lines[text] {
                diagnosis.add(event.line, path, "occurs twice, first in line \(earlier)")
                continue
            }
            lines[text] = event.line
            entries.append(YAMLNode.Entry(key: text, line: event.line, value: value))
        }
    }
}

/// The names of keys as they are shown to the operator.
enum KeyPath {
    /// `backends[0]` and `name` give `backends[0].name`. Odd keys are quoted and cut, so that a line stays a line.
    static func join(_ parent: String, _ key: String) -> String {
        let isPlain =
            key.utf8.count <= 64 && !key.isEmpty
            && key.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ".") }
        let shown = isPlain ? key : Quoted.text(key)
        return parent.isEmpty ? shown : "\(parent).\(shown)"
    }
}
