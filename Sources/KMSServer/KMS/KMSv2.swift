internal import CKMSProto
internal import Keyring

/// `v2.KeyManagementService`.
enum KMSv2 {
    static func methods(_ shared: KMSMethods) -> [Method] {
        let service = "/v2.KeyManagementService/"
        return [
            Method(path: service + "Status") { status($0, shared) },
            Method(path: service + "Encrypt", isSecret: true) { encrypt($0, shared) },
            Method(path: service + "Decrypt") { decrypt($0, shared) },
        ]
    }

    private static func status(_ bytes: UnsafeRawBufferPointer, _ shared: KMSMethods) -> Reply {
        // No fields; unknown ones must be well-formed all the same.
        guard bytes.isEmpty || isStatusRequest(bytes, shared) else { return shared.malformed("Status") }
        do throws(ServiceError) {
            return .message(ByteBuffer(shared.answers(for: try shared.service.status()).status))
        } catch {
            return shared.failed("Status", error, uid: nil)
        }
    }

    private static func isStatusRequest(_ bytes: UnsafeRawBufferPointer, _ shared: KMSMethods) -> Bool {
        shared.arena.lend {
            kms_v2__status_request__unpack($0, bytes.count, bytes.bindMemory(to: UInt8.self).baseAddress) != nil
        }
    }

    private static func encrypt(_ bytes: UnsafeRawBufferPointer, _ shared: KMSMethods) -> Reply {
        shared.handle("Encrypt", bytes, unpack: kms_v2__encrypt_request__unpack, uid: { $0.uid.bytes }) {
            (message) throws(RequestError) in
            try RequestRules.checkText(message.pointee.uid.bytes, "uid")
        } answer: { (message) throws(ServiceError) in
            let encrypted = try shared.service.encrypt(message.plaintext.bytes, api: .v2)
            let first = Slice(count: FieldWriter.size(encrypted.ciphertext.count)) { memory in
                var writer = FieldWriter(memory)
                writer.field(1, encrypted.ciphertext)
            }
            return .message(ByteBuffer(first, shared.answers(for: encrypted.publication).encryptTail))
        }
    }

    private static func decrypt(_ bytes: UnsafeRawBufferPointer, _ shared: KMSMethods) -> Reply {
        shared.handle("Decrypt", bytes, unpack: kms_v2__decrypt_request__unpack, uid: { $0.uid.bytes }) {
            (message) throws(RequestError) in
            try RequestRules.checkText(message.pointee.uid.bytes, "uid")
            try RequestRules.checkText(message.pointee.key_id.bytes, "key_id")
            try RequestRules.check(message)
        } answer: { (message) throws(ServiceError) in
            try shared.decrypt(
                "Decrypt", message.ciphertext.bytes, keyID: message.key_id.bytes, api: .v2, uid: message.uid.bytes)
        }
    }
}
