internal import CKMSProto
internal import Keyring

/// Encodes requests. A request that holds a plaintext is wiped when core has let go of it.
enum KMSRequests {
    static func empty() -> Slice { Slice([]) }

    static func reseal(_ options: ResealOptions) -> Slice {
        // All texts one after the other, in memory that the message points into.
        let texts = [options.backend ?? ""] + options.expecting
        var memory = texts.flatMap { Array($0.utf8) }
        let bytes = memory.withUnsafeMutableBufferPointer { memory -> [UInt8] in
            var start = 0
            var data = texts.map { text in
                let count = text.utf8.count
                defer { start += count }
                return ProtobufCBinaryData(len: count, data: memory.baseAddress.map { $0 + start })
            }
            let backend = data.removeFirst()
            return data.withUnsafeMutableBufferPointer { states in
                var message = TrousseauControl__ResealRequest()
                trousseau_control__reseal_request__init(&message)
                message.backend = backend
                message.generate_keys = options.generateKeys ? 1 : 0
                message.drop_replaced = options.dropReplaced ? 1 : 0
                message.n_pcrs = states.count
                message.pcrs = states.baseAddress
                let size = trousseau_control__reseal_request__get_packed_size(&message)
                return [UInt8](unsafeUninitializedCapacity: size) { memory, count in
                    count = trousseau_control__reseal_request__pack(&message, memory.baseAddress)
                }
            }
        }
        return Slice(bytes)
    }

    static func encrypt(_ plaintext: UnsafeRawBufferPointer, uid: String) -> Slice {
        let uid = Array(uid.utf8)
        return fields([FieldWriter.size(plaintext.count), FieldWriter.size(uid.count)]) { writer in
            writer.field(1, plaintext)
            writer.field(2, uid)
        }
    }

    static func decrypt(_ ciphertext: [UInt8], keyID: String, annotations: [KMSAnnotation], uid: String) -> Slice {
        let (uid, keyID) = (Array(uid.utf8), Array(keyID.utf8))
        let entries = annotations.map { (key: Array($0.key.utf8), value: $0.value) }
        let sizes = entries.map { FieldWriter.size($0.key.count) + FieldWriter.size($0.value.count) }
        return fields(
            [ciphertext, uid, keyID].map { FieldWriter.size($0.count) } + sizes.map(FieldWriter.sizeOfPresent)
        ) { writer in
            writer.field(1, ciphertext)
            writer.field(2, uid)
            writer.field(3, keyID)
            for (entry, size) in zip(entries, sizes) {
                writer.header(4, length: size)
                writer.field(1, entry.key)
                writer.field(2, entry.value)
            }
        }
    }

    /// v1beta1 requests begin with the API's version.
    private static let v1API = Array("v1beta1".utf8)

    static func v1Version() -> Slice {
        fields([FieldWriter.size(v1API.count)]) { $0.field(1, v1API) }
    }

    /// Encrypt and Decrypt of v1beta1 differ in the name of the field only.
    static func v1(_ bytes: some Collection<UInt8>) -> Slice {
        fields([FieldWriter.size(v1API.count), FieldWriter.size(bytes.count)]) { writer in
            writer.field(1, v1API)
            writer.field(2, bytes)
        }
    }

    private static func fields(_ sizes: [Int], _ write: (inout FieldWriter) -> Void) -> Slice {
        Slice(secretCount: sizes.reduce(0, +)) { memory in
            var writer = FieldWriter(memory)
            write(&writer)
        }
    }
}
