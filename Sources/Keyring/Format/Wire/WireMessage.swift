internal import CKMSProto

/// A message type of proto/keyring.proto, as protobuf-c generates it.
protocol WireMessage {
    /// The number of its last field in the .proto file.
    static var highestField: UInt32 { get }
    var base: ProtobufCMessage { get set }
    init()
    static func initialize(_ message: UnsafeMutablePointer<Self>)
    static func unpack(_ count: Int, _ bytes: UnsafePointer<UInt8>?) -> UnsafeMutablePointer<Self>?
    static func free(_ message: UnsafeMutablePointer<Self>)
}

extension WireMessage {
    /// A message with all fields empty.
    static func empty() -> Self {
        var message = Self()
        initialize(&message)
        return message
    }

    /// Shows the parsed message to `read`. Nothing is checked but that it parses.
    static func decode<Value>(
        _ bytes: [UInt8], _ subject: String, _ read: (Self) throws(FormatError) -> Value
    ) throws(FormatError) -> Value {
        guard let message = unpack(bytes.count, bytes) else {
            throw FormatError(.malformed, subject, "not a protobuf message of its type")
        }
        defer { free(message) }
        return try read(message.pointee)
    }

    /// The one encoding: known fields in order of their numbers, without those that are empty, then unknown ones.
    static func encode(_ message: Self) -> [UInt8] {
        var message = message
        return withUnsafePointer(to: &message) { message in
            message.withMemoryRebound(to: ProtobufCMessage.self, capacity: 1) { base in
                [UInt8](unsafeUninitializedCapacity: protobuf_c_message_get_packed_size(base)) { (bytes, count) in
                    count = protobuf_c_message_pack(base, bytes.baseAddress)
                }
            }
        }
    }

    /// The message's unknown fields, if they can be in a canonical encoding.
    func unknownFields(_ subject: String) throws(FormatError) -> [UnknownField] {
        let fields = UnsafeBufferPointer(start: base.unknown_fields, count: Int(base.n_unknown_fields)).map {
            UnknownField($0)
        }
        guard UnknownField.areCanonical(fields, above: Self.highestField) else {
            throw FormatError(.malformed, subject, "unknown fields are not in canonical order")
        }
        return fields
    }
}

extension ProtobufCBinaryData {
    var array: [UInt8] { Array(UnsafeBufferPointer(start: data, count: len)) }
}

extension TrousseauKeyring__Identity: WireMessage {
    static var highestField: UInt32 { 7 }
    static func initialize(_ message: UnsafeMutablePointer<Self>) { trousseau_keyring__identity__init(message) }
    static func unpack(_ count: Int, _ bytes: UnsafePointer<UInt8>?) -> UnsafeMutablePointer<Self>? {
        trousseau_keyring__identity__unpack(nil, count, bytes)
    }
    static func free(_ message: UnsafeMutablePointer<Self>) { trousseau_keyring__identity__free_unpacked(message, nil) }
}

extension TrousseauKeyring__SharedSeal: WireMessage {
    static var highestField: UInt32 { 6 }
    static func initialize(_ message: UnsafeMutablePointer<Self>) { trousseau_keyring__shared_seal__init(message) }
    static func unpack(_ count: Int, _ bytes: UnsafePointer<UInt8>?) -> UnsafeMutablePointer<Self>? {
        trousseau_keyring__shared_seal__unpack(nil, count, bytes)
    }
    static func free(_ message: UnsafeMutablePointer<Self>) {
        trousseau_keyring__shared_seal__free_unpacked(message, nil)
    }
}

extension TrousseauKeyring__Voucher: WireMessage {
    static var highestField: UInt32 { 3 }
    static func initialize(_ message: UnsafeMutablePointer<Self>) { trousseau_keyring__voucher__init(message) }
    static func unpack(_ count: Int, _ bytes: UnsafePointer<UInt8>?) -> UnsafeMutablePointer<Self>? {
        trousseau_keyring__voucher__unpack(nil, count, bytes)
    }
    static func free(_ message: UnsafeMutablePointer<Self>) { trousseau_keyring__voucher__free_unpacked(message, nil) }
}

extension TrousseauKeyring__Record: WireMessage {
    static var highestField: UInt32 { 15 }
    static func initialize(_ message: UnsafeMutablePointer<Self>) { trousseau_keyring__record__init(message) }
    static func unpack(_ count: Int, _ bytes: UnsafePointer<UInt8>?) -> UnsafeMutablePointer<Self>? {
        trousseau_keyring__record__unpack(nil, count, bytes)
    }
    static func free(_ message: UnsafeMutablePointer<Self>) { trousseau_keyring__record__free_unpacked(message, nil) }
}

extension TrousseauKeyring__Publication: WireMessage {
    static var highestField: UInt32 { 15 }
    static func initialize(_ message: UnsafeMutablePointer<Self>) { trousseau_keyring__publication__init(message) }
    static func unpack(_ count: Int, _ bytes: UnsafePointer<UInt8>?) -> UnsafeMutablePointer<Self>? {
        trousseau_keyring__publication__unpack(nil, count, bytes)
    }
    static func free(_ message: UnsafeMutablePointer<Self>) {
        trousseau_keyring__publication__free_unpacked(message, nil)
    }
}
