internal import CP11Kit
internal import Crypto
internal import Keyring

/// Secrets as session objects, for tokens that wrap nothing else: they live in this session only, are private, and are
/// destroyed before the call is over.
extension Session {
    /// Runs `body` with an object that holds `bytes`: sensitive, extractable only by wrapping.
    func withSecretObject<R>(
        _ bytes: UnsafeRawBufferPointer, _ body: (CK_OBJECT_HANDLE) throws(PKCS11Error) -> R
    ) throws(PKCS11Error) -> R {
        var object: CK_OBJECT_HANDLE = 0
        // The value goes from its own memory into the token, through no array of ours.
        let code = Attribute.withTemplate(Session.template(sensitive: true), value: bytes) { pointer, count in
            module.code { $0.pointee.C_CreateObject?(handle, pointer, count, &object) }
        }
        guard code == .ok else { throw PKCS11Error(call: "C_CreateObject", code) }
        return try destroying(object, body)
    }

    /// C_UnwrapKey into an object whose value can be read, which is what it is for, and destroyed once it was.
    func unwrapSecret(
        _ wrapped: [UInt8], _ mechanism: UnsafeMutablePointer<CK_MECHANISM>, _ key: SealingKey
    ) throws(PKCS11Error) -> SecretBytes {
        var input = wrapped
        var object: CK_OBJECT_HANDLE = 0
        let inputCount = CK_ULONG(input.count)
        let code = Attribute.withTemplate(Session.template(sensitive: false)) { pointer, count in
            module.code {
                $0.pointee.C_UnwrapKey?(
                    handle, mechanism, key.handle, &input, inputCount, pointer, count, &object)
            }
        }
        guard code == .ok else { throw PKCS11Error(call: "C_UnwrapKey", code) }
        return try destroying(object) { (object) throws(PKCS11Error) in
            try Session.secret(capacity: wrapped.count) { (memory) throws(PKCS11Error) in
                var attribute = CK_ATTRIBUTE(
                    type: AttributeType.value, pValue: memory.baseAddress, ulValueLen: CK_ULONG(memory.count))
                try module.call("C_GetAttributeValue") {
                    $0.pointee.C_GetAttributeValue?(handle, object, &attribute, 1)
                }
                guard attribute.ulValueLen <= CK_ULONG(memory.count) else {
                    throw Session.overrun("C_GetAttributeValue", attribute.ulValueLen)
                }
                return Int(attribute.ulValueLen)
            }
        }
    }

    private func destroying<R: ~Copyable>(
        _ object: CK_OBJECT_HANDLE, _ body: (CK_OBJECT_HANDLE) throws(PKCS11Error) -> R
    ) throws(PKCS11Error) -> R {
        let result: R
        do throws(PKCS11Error) {
            result = try body(object)
        } catch {
            _ = module.code { $0.pointee.C_DestroyObject?(handle, object) }
            throw error
        }
        let code = module.code { $0.pointee.C_DestroyObject?(handle, object) }
        // The object dies with its session then.
        guard code == .ok else {
            let level = RecoveryLevel(code)
            throw PKCS11Error(call: "C_DestroyObject", code, level: level == .request ? .session : level)
        }
        return result
    }

    private static func template(sensitive: Bool) -> [Attribute] {
        [
            .number(AttributeType.objectClass, CK_ULONG(CKO_SECRET_KEY)),
            .number(AttributeType.keyType, CK_ULONG(CKK_GENERIC_SECRET)),
            .flag(AttributeType.token, false),
            .flag(AttributeType.isPrivate, true),
            .flag(AttributeType.sensitive, sensitive),
            .flag(AttributeType.extractable, true),
        ]
    }
}
