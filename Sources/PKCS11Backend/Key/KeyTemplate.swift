internal import CP11Kit
internal import Crypto
internal import Keyring

/// How a sealing key is made: AES, 32 bytes, on the token, usable after login only, never to leave it.
enum KeyTemplate {
    /// The templates to try, from the strictest on: a token that refuses an attribute gets the next one. What protects
    /// the key (PRIVATE, SENSITIVE, EXTRACTABLE) is in all of them.
    static func candidates(label: String, id: [UInt8], for purpose: KeyPurpose) -> [[Attribute]] {
        let isForWrapping = purpose.isForWrapping
        let uses =
            isForWrapping
            ? [AttributeType.wrap, AttributeType.unwrap] : [AttributeType.encrypt, AttributeType.decrypt]
        let others =
            isForWrapping
            ? [AttributeType.encrypt, AttributeType.decrypt] : [AttributeType.wrap, AttributeType.unwrap]
        let core: [Attribute] =
            [
                .number(AttributeType.objectClass, CK_ULONG(CKO_SECRET_KEY)),
                .number(AttributeType.keyType, CK_ULONG(CKK_AES)),
                .number(AttributeType.valueLength, 32),
                .flag(AttributeType.token, true),
                .flag(AttributeType.isPrivate, true),
                .flag(AttributeType.sensitive, true),
                .flag(AttributeType.extractable, false),
                .bytes(AttributeType.label, Array(label.utf8)),
                .bytes(AttributeType.id, id),
            ] + uses.map { Attribute.flag($0, true) }
        let forbidden = (others + [AttributeType.sign, AttributeType.verify, AttributeType.derive]).map {
            Attribute.flag($0, false)
        }
        let modifiable = Attribute.flag(AttributeType.modifiable, false)
        let copyable = Attribute.flag(AttributeType.copyable, false)
        let mechanisms = Attribute.numbers(AttributeType.allowedMechanisms, [CK_ULONG(purpose.mechanism)])
        return [
            core + forbidden + [modifiable, copyable, mechanisms],
            core + forbidden + [modifiable, copyable],
            core + forbidden + [modifiable],
            core + forbidden,
            core,
        ]
    }
}

extension Session {
    /// Makes the key that the URI names, with a random 16-byte CKA_ID unless the URI has one. Needs a writable session.
    func generateKey(_ uri: KeyURI) throws(PKCS11Error) {
        guard uri.isPrivateKey != true else {
            throw PKCS11Error(
                .configuration, "only AES keys are generated, and the URI says type=private",
                hint: "make the key pair with the HSM's own tools")
        }
        let id: [UInt8]
        do {
            id = try uri.objectID ?? Random.bytes(16)
        } catch {
            throw PKCS11Error(.call, "CKA_ID: \(error)", errorClass: .retry)
        }
        let label = uri.objectLabel ?? "trousseau"
        let purpose = try KeyPurpose(self)
        var refusal = ReturnCode.ok
        for template in KeyTemplate.candidates(label: label, id: id, for: purpose) {
            var mechanism = CK_MECHANISM(mechanism: CK_ULONG(CKM_AES_KEY_GEN), pParameter: nil, ulParameterLen: 0)
            var key: CK_OBJECT_HANDLE = 0
            refusal = Attribute.withTemplate(template) { pointer, count in
                module.code { $0.pointee.C_GenerateKey?(handle, &mechanism, pointer, count, &key) }
            }
            if refusal == .ok { return }
            // Only a refused attribute is worth another try; anything else might make a second key.
            guard KeyTemplate.isAboutTemplate(refusal) else { break }
        }
        throw PKCS11Error(call: "C_GenerateKey", refusal)
    }
}

extension KeyTemplate {
    static func isAboutTemplate(_ code: ReturnCode) -> Bool {
        [
            CK_RV(CKR_ATTRIBUTE_TYPE_INVALID), CK_RV(CKR_ATTRIBUTE_VALUE_INVALID), CK_RV(CKR_ATTRIBUTE_READ_ONLY),
            CK_RV(CKR_TEMPLATE_INCONSISTENT), CK_RV(CKR_TEMPLATE_INCOMPLETE),
        ].contains(code.rawValue)
    }
}
