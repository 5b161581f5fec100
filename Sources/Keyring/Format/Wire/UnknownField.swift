internal import CKMSProto

/// A field that a later version has written: kept and carried along, never understood.
///
/// In a canonical encoding the unknown fields of a message stand behind its known ones, with higher numbers, in strictly
/// ascending order of (number, bytes).
struct UnknownField: Sendable, Hashable {
    let number: UInt32
    /// Protobuf's: 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes.
    let wireType: UInt32
    /// Everything behind the tag; for length-delimited ones the length too.
    let bytes: [UInt8]

    init(number: UInt32, wireType: UInt32, bytes: [UInt8]) {
        self.number = number
        self.wireType = wireType
        self.bytes = bytes
    }

    init(_ field: ProtobufCMessageUnknownField) {
        number = field.tag
        wireType = UInt32(field.wire_type.rawValue)
        bytes = Array(UnsafeBufferPointer(start: field.data, count: field.len))
    }

    /// Whether the value is encoded in the only way that protobuf's canonical writers use.
    private var isCanonical: Bool {
        switch wireType {
        case 0: return UnknownField.varint(bytes)?.size == bytes.count
        case 1: return bytes.count == 8
        case 2:
            guard let length = UnknownField.varint(bytes) else { return false }
            return length.value == UInt64(bytes.count - length.size)
        case 5: return bytes.count == 4
        default: return false
        }
    }

    /// The varint that `bytes` begin with; nil unless it is in its shortest form and fits 64 bits.
    private static func varint(_ bytes: [UInt8]) -> (value: UInt64, size: Int)? {
        var value: UInt64 = 0
        for (index, byte) in bytes.prefix(10).enumerated() {
            if index == 9 && byte > 1 { return nil }
            value |= UInt64(byte & 0x7f) << UInt64(7 * index)
            guard byte & 0x80 == 0 else { continue }
            return index > 0 && byte == 0 ? nil : (value, index + 1)
        }
        return nil
    }

    /// Whether these are the unknown fields of a canonical message whose highest known field is `highestKnown`.
    static func areCanonical(_ fields: [UnknownField], above highestKnown: UInt32) -> Bool {
        var previous: UnknownField?
        for field in fields {
            guard field.number > highestKnown, field.isCanonical else { return false }
            if let previous, !(previous < field) { return false }
            previous = field
        }
        return true
    }
}

extension UnknownField: Comparable {
    static func < (a: UnknownField, b: UnknownField) -> Bool {
        if a.number != b.number { return a.number < b.number }
        if a.wireType != b.wireType { return a.wireType < b.wireType }
        return a.bytes.lexicographicallyPrecedes(b.bytes)
    }
}
