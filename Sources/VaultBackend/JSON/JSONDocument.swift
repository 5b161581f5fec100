internal import Crypto
internal import Keyring

/// A JSON text that was received, with the places of its values. Secrets are copied out of it into secure memory; its own
/// memory is wiped when it goes.
final class JSONDocument: Sendable {
    private let buffer: WipedBuffer
    private let nodes: [Node]

    private typealias Node = JSONScanner.Node

    /// Nil unless the buffer holds one JSON value.
    ///
    /// - Parameter limit: as many values and names at most.
    init?(_ buffer: WipedBuffer, limit: Int = JSONScanner.maximumNodes) {
        guard let nodes = buffer.withUnsafeBytes({ JSONScanner.scan($0, limit: limit) }) else { return nil }
        self.buffer = buffer
        self.nodes = nodes
    }

    /// The whole value.
    var root: Value { Value(document: self, index: 0) }

    /// One value of it.
    struct Value: Sendable {
        fileprivate let document: JSONDocument
        fileprivate let index: Int

        private var node: JSONScanner.Node { document.nodes[index] }

        /// The value of a name; nil in what is no object, and when the name stands there twice.
        subscript(_ name: String) -> Value? {
            let found = members.filter { $0.name == name }
            return found.count == 1 ? found[0].value : nil
        }

        /// Of an object, in the order of the text.
        var members: [(name: String, value: Value)] {
            guard node.kind == .object else { return [] }
            let children = children
            return stride(from: 0, to: children.count - 1, by: 2).compactMap { index in
                children[index].text.map { ($0, children[index + 1]) }
            }
        }

        /// Whether it is an array, of none or more elements.
        var isArray: Bool { node.kind == .array }

        /// Of an array.
        var elements: [Value] { node.kind == .array ? children : [] }

        private var children: [Value] {
            var children: [Value] = []
            var child = index + 1
            while child < node.next {
                children.append(Value(document: document, index: child))
                child = document.nodes[child].next
            }
            return children
        }

        private func withBytes<R, Failure: Error>(
            _ body: (UnsafeRawBufferPointer) throws(Failure) -> R
        ) throws(Failure) -> R {
            let range = node.start..<node.end
            return try document.buffer.withUnsafeBytes { (bytes) throws(Failure) in
                try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
            }
        }

        /// A string; not for secrets.
        var text: String? {
            guard node.kind == .string else { return nil }
            return withBytes { JSONText.unescape($0) }
        }

        /// A whole number.
        var integer: Int? {
            guard node.kind == .number else { return nil }
            return withBytes { Int(String(decoding: $0, as: UTF8.self)) }
        }

        /// True or false.
        var bool: Bool? {
            switch node.kind {
            case .yes: true
            case .no: false
            default: nil
            }
        }

        /// Whether it is `null`.
        var isNull: Bool { node.kind == .null }

        /// Shows the bytes of a string that is printable ASCII without escapes, as tokens and base64 are; nil for all
        /// else.
        func withSecret<R>(
            _ body: (UnsafeRawBufferPointer) throws(VaultError) -> R
        ) throws(VaultError) -> R? {
            guard node.kind == .string, !node.isEscaped else { return nil }
            return try withBytes { (bytes) throws(VaultError) -> R? in
                guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
                return try body(bytes)
            }
        }
    }
}
