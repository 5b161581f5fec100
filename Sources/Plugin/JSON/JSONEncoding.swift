extension JSONValue {
    /// The value that an `Encodable` describes itself as. Members that are nil are left away.
    init(encoding value: some Encodable) throws {
        let node = JSONNode()
        try value.encode(to: JSONEncoding(node: node, codingPath: []))
        self = node.value
    }
}

/// What one encoder, container or single value has written so far; filled in by whoever holds it.
private final class JSONNode {
    enum Content {
        case value(JSONValue)
        case array([JSONNode])
        case object([(name: String, node: JSONNode)])
    }

    var content = Content.value(.null)

    var value: JSONValue {
        switch content {
        case .value(let value): value
        case .array(let nodes): .array(nodes.map(\.value))
        case .object(let members): .object(members.map { JSONValue.Member(name: $0.name, value: $0.node.value) })
        }
    }

    func append() -> JSONNode {
        let node = JSONNode()
        if case .array(let nodes) = content { content = .array(nodes + [node]) } else { content = .array([node]) }
        return node
    }

    func member(_ name: String) -> JSONNode {
        let node = JSONNode()
        if case .object(let members) = content {
            content = .object(members.filter { $0.name != name } + [(name, node)])
        } else {
            content = .object([(name, node)])
        }
        return node
    }

    func set(_ value: some Encodable, _ path: [any CodingKey]) throws {
        switch value {
        case let value as String: content = .value(.string(value))
        case let value as Bool: content = .value(.bool(value))
        case let value as Double: content = .value(.number(value))
        case let value as Float: content = .value(.number(Double(value)))
        case let value as any BinaryInteger:
            // Whatever does not fit is as large as a number can be read.
            content = .value(Int64(exactly: value).map(JSONValue.integer) ?? .number(Double(value)))
        default: try value.encode(to: JSONEncoding(node: self, codingPath: path))
        }
    }
}

private struct JSONEncoding: Encoder {
    let node: JSONNode
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .value = node.content { node.content = .object([]) }
        return KeyedEncodingContainer(Keyed<Key>(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.content = .array([])
        return Unkeyed(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { Single(node: node, codingPath: codingPath) }

    struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
        let node: JSONNode
        let codingPath: [any CodingKey]

        func encodeNil(forKey key: Key) { _ = node.member(key.stringValue) }

        func encode(_ value: some Encodable, forKey key: Key) throws {
            try node.member(key.stringValue).set(value, codingPath + [key])
        }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type, forKey key: Key
        ) -> KeyedEncodingContainer<Nested> {
            JSONEncoding(node: node.member(key.stringValue), codingPath: codingPath + [key]).container(keyedBy: type)
        }

        func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
            JSONEncoding(node: node.member(key.stringValue), codingPath: codingPath + [key]).unkeyedContainer()
        }

        func superEncoder() -> any Encoder { JSONEncoding(node: node.member("super"), codingPath: codingPath) }

        func superEncoder(forKey key: Key) -> any Encoder {
            JSONEncoding(node: node.member(key.stringValue), codingPath: codingPath + [key])
        }
    }

    struct Unkeyed: UnkeyedEncodingContainer {
        let node: JSONNode
        let codingPath: [any CodingKey]

        var count: Int {
            guard case .array(let nodes) = node.content else { return 0 }
            return nodes.count
        }

        func encodeNil() { _ = node.append() }

        func encode(_ value: some Encodable) throws { try node.append().set(value, codingPath) }

        func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
            JSONEncoding(node: node.append(), codingPath: codingPath).container(keyedBy: type)
        }

        func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
            JSONEncoding(node: node.append(), codingPath: codingPath).unkeyedContainer()
        }

        func superEncoder() -> any Encoder { JSONEncoding(node: node.append(), codingPath: codingPath) }
    }

    struct Single: SingleValueEncodingContainer {
        let node: JSONNode
        let codingPath: [any CodingKey]

        func encodeNil() { node.content = .value(.null) }
        func encode(_ value: Bool) { node.content = .value(.bool(value)) }
        func encode(_ value: String) { node.content = .value(.string(value)) }
        func encode(_ value: some Encodable) throws { try node.set(value, codingPath) }
    }
}
