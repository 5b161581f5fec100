internal import CKMSProto

/// Memory for protobuf-c's message structures while one message is encoded.
final class WireArena {
    private var blocks: [UnsafeMutableRawPointer] = []

    deinit {
        for block in blocks { block.deallocate() }
    }

    /// A copy of `bytes` as protobuf-c has them.
    func binary(_ bytes: [UInt8]) -> ProtobufCBinaryData {
        guard !bytes.isEmpty else { return ProtobufCBinaryData(len: 0, data: nil) }
        return ProtobufCBinaryData(len: bytes.count, data: array(bytes))
    }

    func binary(_ text: String) -> ProtobufCBinaryData { binary(Array(text.utf8)) }

    /// Pointers to copies of `messages`.
    func pointers<Message>(_ messages: [Message]) -> UnsafeMutablePointer<UnsafeMutablePointer<Message>?> {
        array(messages.map { array([$0]) })
    }

    /// Hangs unknown fields into a message.
    func attach(_ fields: [UnknownField], to base: inout ProtobufCMessage) {
        base.n_unknown_fields = UInt32(clamping: fields.count)
        base.unknown_fields = array(
            fields.map { field in
                ProtobufCMessageUnknownField(
                    tag: field.number, wire_type: ProtobufCWireType(rawValue: .init(field.wireType)),
                    len: field.bytes.count, data: array(field.bytes))
            })
    }

    private func array<Element>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
        let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(1, elements.count))
        blocks.append(UnsafeMutableRawPointer(memory))
        _ = UnsafeMutableBufferPointer(start: memory, count: elements.count).initialize(from: elements)
        return memory
    }
}
