internal import CKMSProto

/// Decodes responses; nil for what is not a message of the type.
enum KMSResponses {
    static func status(_ bytes: UnsafeRawBufferPointer) -> StatusAnswer? {
        MessageArena().lend { allocator in
            guard let message = kms_v2__status_response__unpack(allocator, bytes.count, start(bytes))?.pointee else {
                return nil
            }
            let (version, keyID) = (message.version.text, message.key_id.text)
            var violations = ContractRules.status(version: version, keyID: keyID)
            violations += ContractRules.texts([message.version, message.healthz, message.key_id].map(\.bytes))
            return StatusAnswer(
                version: version, healthz: message.healthz.text, keyID: keyID, violations: violations)
        }
    }

    static func encrypt(_ bytes: UnsafeRawBufferPointer) -> EncryptAnswer? {
        MessageArena().lend { allocator in
            guard let message = kms_v2__encrypt_response__unpack(allocator, bytes.count, start(bytes))?.pointee else {
                return nil
            }
            let entries = UnsafeBufferPointer(start: message.annotations, count: message.n_annotations)
                .compactMap { $0?.pointee }
            var annotations: [KMSAnnotation] = []
            for entry in entries {
                // Of a map's entries with the same key the last one counts.
                annotations.removeAll { $0.key == entry.key.text }
                annotations.append(KMSAnnotation(key: entry.key.text, value: Array(entry.value.bytes)))
            }
            let (ciphertext, keyID) = (Array(message.ciphertext.bytes), message.key_id.text)
            var violations = ContractRules.encrypt(ciphertext: ciphertext, keyID: keyID, annotations: annotations)
            violations += ContractRules.texts([message.key_id.bytes] + entries.map(\.key.bytes))
            return EncryptAnswer(ciphertext: ciphertext, keyID: keyID, annotations: annotations, violations: violations)
        }
    }

    /// Shows the plaintext to `body`; the copy that was decoded is wiped.
    static func decrypt<Answer>(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Answer) -> Answer?
    {
        MessageArena().lend { allocator in
            kms_v2__decrypt_response__unpack(allocator, bytes.count, start(bytes)).map {
                body($0.pointee.plaintext.bytes)
            }
        }
    }

    static func v1Version(_ bytes: UnsafeRawBufferPointer) -> VersionAnswer? {
        MessageArena().lend { allocator in
            guard let message = kms_v1beta1__version_response__unpack(allocator, bytes.count, start(bytes))?.pointee
            else { return nil }
            let texts = [message.version, message.runtime_name, message.runtime_version]
            return VersionAnswer(
                version: message.version.text, runtimeName: message.runtime_name.text,
                runtimeVersion: message.runtime_version.text,
                violations: ContractRules.version(message.version.text) + ContractRules.texts(texts.map(\.bytes)))
        }
    }

    static func v1Encrypt(_ bytes: UnsafeRawBufferPointer) -> V1EncryptAnswer? {
        MessageArena().lend { allocator in
            kms_v1beta1__encrypt_response__unpack(allocator, bytes.count, start(bytes)).map {
                let cipher = Array($0.pointee.cipher.bytes)
                return V1EncryptAnswer(cipher: cipher, violations: ContractRules.v1Encrypt(cipher: cipher))
            }
        }
    }

    /// Shows the plaintext to `body`; the copy that was decoded is wiped.
    static func v1Decrypt<Answer>(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Answer
    ) -> Answer? {
        MessageArena().lend { allocator in
            kms_v1beta1__decrypt_response__unpack(allocator, bytes.count, start(bytes)).map {
                body($0.pointee.plain.bytes)
            }
        }
    }

    static func controlStatus(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        guard let message = trousseau_control__status_response__unpack(nil, bytes.count, start(bytes)) else {
            return nil
        }
        defer { trousseau_control__status_response__free_unpacked(message, nil) }
        return Array(message.pointee.report_json.bytes)
    }

    static func controlReseal(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        guard let message = trousseau_control__reseal_response__unpack(nil, bytes.count, start(bytes)) else {
            return nil
        }
        defer { trousseau_control__reseal_response__free_unpacked(message, nil) }
        return Array(message.pointee.report_json.bytes)
    }

    private static func start(_ bytes: UnsafeRawBufferPointer) -> UnsafePointer<UInt8>? {
        bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    }
}

extension ProtobufCBinaryData {
    /// The field as text; bytes that are no UTF-8 as U+FFFD.
    fileprivate var text: String { String(decoding: bytes, as: UTF8.self) }
}
