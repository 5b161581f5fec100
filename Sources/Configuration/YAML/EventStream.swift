internal import CYAML

/// What is wrong with the text itself; nothing after it can be read.
struct YAMLSyntaxError: Error {
    let line: Int
    let reason: String
    var hint: String?
}

/// One event of libyaml, copied out of it.
struct YAMLEvent {
    enum Kind {
        case documentStart
        case scalar(String, plain: Bool)
        case sequenceStart
        case mappingStart
        case alias
        /// Of a sequence or mapping.
        case end
        case other
    }

    let kind: Kind
    /// From 1.
    let line: Int
    var hasAnchor = false
    var hasTag = false
}

/// libyaml's parser over a buffer that outlives it. `close()` has to be called once.
struct EventStream {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeBufferPointer<UInt8>

    init(_ text: UnsafeBufferPointer<UInt8>) {
        self.text = text
        parser = .allocate(capacity: 1)
        // Only fails without memory; then every call on the zeroed parser reports an error, never crashes.
        parser.initialize(to: yaml_parser_t())
        guard yaml_parser_initialize(parser) == 1 else { return }
        // Without this, libyaml believes a byte order mark of UTF-16.
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, text.baseAddress, text.count)
    }

    func close() {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    func next() throws(YAMLSyntaxError) -> YAMLEvent {
        // libyaml asserts that a handler is set, and it is unless the initialisation ran out of memory.
        guard parser.pointee.read_handler != nil else {
            throw YAMLSyntaxError(line: 1, reason: "out of memory")
        }
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
        defer { yaml_event_delete(&event) }
        return EventStream.copy(event)
    }

    private static func copy(_ event: yaml_event_t) -> YAMLEvent {
        let line = Int(event.start_mark.line) + 1
        switch event.type {
        case YAML_DOCUMENT_START_EVENT:
            return YAMLEvent(kind: .documentStart, line: line)
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            return YAMLEvent(
                kind: .scalar(text, plain: scalar.style == YAML_PLAIN_SCALAR_STYLE), line: line,
                hasAnchor: scalar.anchor != nil, hasTag: scalar.tag != nil)
        case YAML_SEQUENCE_START_EVENT:
            let start = event.data.sequence_start
            return YAMLEvent(
                kind: .sequenceStart, line: line, hasAnchor: start.anchor != nil, hasTag: start.tag != nil)
        case YAML_MAPPING_START_EVENT:
            let start = event.data.mapping_start
            return YAMLEvent(kind: .mappingStart, line: line, hasAnchor: start.anchor != nil, hasTag: start.tag != nil)
        case YAML_ALIAS_EVENT:
            return YAMLEvent(kind: .alias, line: line, hasAnchor: true)
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
            return YAMLEvent(kind: .end, line: line)
        default:
            return YAMLEvent(kind: .other, line: line)
        }
    }

    private func syntaxError() -> YAMLSyntaxError {
        let state = parser.pointee
        let problem = state.problem.map { String(cString: $0) } ?? "out of memory"
        guard state.error == YAML_READER_ERROR else {
            let context = state.context.map { String(cString: $0) + ": " } ?? ""
            let hint =
                problem.contains("cannot start any token") ? "YAML is indented by spaces; @ and ` need quotes" : nil
            return YAMLSyntaxError(
                line: Int(state.problem_mark.line) + 1, reason: "is not YAML: \(context)\(problem)", hint: hint)
        }
        // The reader works ahead of the scanner and knows bytes, not lines.
        let line = 1 + text.prefix(min(state.problem_offset, text.count)).count { $0 == UInt8(ascii: "\n") }
        return YAMLSyntaxError(line: line, reason: "is not UTF-8 text: \(problem)", hint: "write the file as UTF-8")
    }
}
