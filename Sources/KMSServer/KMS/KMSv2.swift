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
        shared.arena.lend { allocator in
            guard
                let message = kms_v2__encrypt_request__unpack(
                    allocator, bytes.count, bytes.bindMemory(to: UInt8.self).baseAddress)
            else { return shared.malformed("Encrypt") }
            let uid = message.pointee.uid.bytes
            do throws(RequestError) {
                try RequestRules.checkText(uid, "uid")
            } catch {
                return shared.refused("Encrypt", error, uid: nil)
            }
            do throws(ServiceError) {
                let encrypted = try shared.service.encrypt(message.pointee.plaintext.bytes, api: .v2)
                let first = Slice(count: FieldWriter.size(encrypted.ciphertext.count)) { memory in
                    var writer = FieldWriter(memory)
                    writer.field(1, encrypted.ciphertext)
                }
                return .message(ByteBuffer(first, shared.answers(for: encrypted.publication).encryptTail))
            } catch {
                return shared.failed("Encrypt", error, uid: uid)
            }
        }
    }

    private static func decrypt(_ bytes: UnsafeRawBufferPointer, _ shared: KMSMethods) -> Reply {
        shared.arena.lend { allocator in
            guard
                let message = kms_v2__decrypt_request__unpack(
                    allocator, bytes.count, bytes.bindMemory(to: UInt8.self).baseAddress)
            else { return shared.malformed("Decrypt") }
            let (uid, keyID) = (message.pointee.uid.bytes, message.pointee.key_id.bytes)
            do throws(RequestError) {
                try RequestRules.checkText(uid, "uid")
                try RequestRules.checkText(keyID, "key_id")
                try RequestRules.check(message)
            } catch {
                return shared.refused("Decrypt", error, uid: nil)
            }
            return shared.decrypt("Decrypt", message.pointee.ciphertext.bytes, keyID: keyID, api: .v2, uid: uid)
        }
    }
}
