internal import CP11Kit

/// One attribute of a template: type and value in the machine's own representation.
struct Attribute: Sendable, Equatable {
    let type: CK_ATTRIBUTE_TYPE
    let value: [UInt8]

    static func bytes(_ type: CK_ATTRIBUTE_TYPE, _ value: [UInt8]) -> Attribute { Attribute(type: type, value: value) }

    static func flag(_ type: CK_ATTRIBUTE_TYPE, _ value: Bool) -> Attribute {
        Attribute(type: type, value: [value ? 1 : 0])
    }

    static func number(_ type: CK_ATTRIBUTE_TYPE, _ value: CK_ULONG) -> Attribute {
        Attribute(type: type, value: withUnsafeBytes(of: value) { Array($0) })
    }

    static func numbers(_ type: CK_ATTRIBUTE_TYPE, _ values: [CK_ULONG]) -> Attribute {
        Attribute(type: type, value: values.withUnsafeBytes { Array($0) })
    }

    /// The template as C wants it; pointers are valid inside `body`.
    ///
    /// - Parameter value: CKA_VALUE, if there is one: handed on where it lies, since it is a secret.
    static func withTemplate<R>(
        _ attributes: [Attribute], value secret: UnsafeRawBufferPointer? = nil,
        _ body: (UnsafeMutablePointer<CK_ATTRIBUTE>?, CK_ULONG) -> R
    ) -> R {
        // Every value begins at a multiple of 8: libraries read numbers in place.
        let offsets = attributes.reduce(into: [0]) { $0.append(($0[$0.count - 1] + $1.value.count + 7) & ~7) }
        let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: max(8, offsets[attributes.count]), alignment: 8)
        defer { storage.deallocate() }
        var template = attributes.indices.map { index in
            let value = attributes[index].value
            UnsafeMutableRawBufferPointer(rebasing: storage[offsets[index]...]).copyBytes(from: value)
            return CK_ATTRIBUTE(
                type: attributes[index].type, pValue: storage.baseAddress?.advanced(by: offsets[index]),
                ulValueLen: CK_ULONG(value.count))
        }
        if let secret {
            // The parameter is not const in C; no library writes there.
            template.append(
                CK_ATTRIBUTE(
                    type: AttributeType.value, pValue: UnsafeMutableRawPointer(mutating: secret.baseAddress),
                    ulValueLen: CK_ULONG(secret.count)))
        }
        let count = CK_ULONG(template.count)
        return template.withUnsafeMutableBufferPointer { body($0.baseAddress, count) }
    }
}

/// The attribute types that the code names; Swift sees the C macros as integers of several types.
enum AttributeType {
    static let objectClass = CK_ATTRIBUTE_TYPE(CKA_CLASS)
    static let token = CK_ATTRIBUTE_TYPE(CKA_TOKEN)
    static let isPrivate = CK_ATTRIBUTE_TYPE(CKA_PRIVATE)
    static let label = CK_ATTRIBUTE_TYPE(CKA_LABEL)
    static let id = CK_ATTRIBUTE_TYPE(CKA_ID)
    static let value = CK_ATTRIBUTE_TYPE(CKA_VALUE)
    static let valueLength = CK_ATTRIBUTE_TYPE(CKA_VALUE_LEN)
    static let keyType = CK_ATTRIBUTE_TYPE(CKA_KEY_TYPE)
    static let sensitive = CK_ATTRIBUTE_TYPE(CKA_SENSITIVE)
    static let extractable = CK_ATTRIBUTE_TYPE(CKA_EXTRACTABLE)
    static let alwaysSensitive = CK_ATTRIBUTE_TYPE(CKA_ALWAYS_SENSITIVE)
    static let local = CK_ATTRIBUTE_TYPE(CKA_LOCAL)
    static let modifiable = CK_ATTRIBUTE_TYPE(CKA_MODIFIABLE)
    static let copyable = CK_ATTRIBUTE_TYPE(CKA_COPYABLE)
    static let encrypt = CK_ATTRIBUTE_TYPE(CKA_ENCRYPT)
    static let decrypt = CK_ATTRIBUTE_TYPE(CKA_DECRYPT)
    static let modulus = CK_ATTRIBUTE_TYPE(CKA_MODULUS)
    static let publicExponent = CK_ATTRIBUTE_TYPE(CKA_PUBLIC_EXPONENT)
    static let wrap = CK_ATTRIBUTE_TYPE(CKA_WRAP)
    static let unwrap = CK_ATTRIBUTE_TYPE(CKA_UNWRAP)
    static let sign = CK_ATTRIBUTE_TYPE(CKA_SIGN)
    static let verify = CK_ATTRIBUTE_TYPE(CKA_VERIFY)
    static let derive = CK_ATTRIBUTE_TYPE(CKA_DERIVE)
    /// CKF_ARRAY_ATTRIBUTE | 0x600; Swift does not see the macro.
    static let allowedMechanisms: CK_ATTRIBUTE_TYPE = 0x4000_0600
}

extension Session {
    /// No attribute that is read here is longer.
    private static let longestAttribute = 16_384

    /// One attribute, in calls of its own: libraries differ in what they return when one of several is refused. First
    /// its length, then as much: NSS refuses numbers in a buffer that is longer than they are.
    ///
    /// Nil when the object or the library does not have it, or will not show it.
    func attribute(_ type: CK_ATTRIBUTE_TYPE, of object: CK_OBJECT_HANDLE) throws(PKCS11Error) -> [UInt8]? {
        var attribute = CK_ATTRIBUTE(type: type, pValue: nil, ulValueLen: 0)
        guard try isShown(&attribute, of: object), attribute.ulValueLen <= CK_ULONG(Session.longestAttribute) else {
            return nil
        }
        return try self.attribute(type, of: object, room: Int(attribute.ulValueLen))
    }

    /// An attribute of at most `room` bytes.
    private func attribute(
        _ type: CK_ATTRIBUTE_TYPE, of object: CK_OBJECT_HANDLE, room: Int
    ) throws(PKCS11Error) -> [UInt8]? {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(8, room), alignment: 8)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        var attribute = CK_ATTRIBUTE(type: type, pValue: memory.baseAddress, ulValueLen: CK_ULONG(room))
        guard try isShown(&attribute, of: object), attribute.ulValueLen <= CK_ULONG(room) else { return nil }
        return Array(memory.prefix(Int(attribute.ulValueLen)))
    }

    private func isShown(
        _ attribute: inout CK_ATTRIBUTE, of object: CK_OBJECT_HANDLE
    ) throws(PKCS11Error) -> Bool {
        let code = module.code { $0.pointee.C_GetAttributeValue?(handle, object, &attribute, 1) }
        guard code == .ok else {
            guard RecoveryLevel(code) == .request else { throw PKCS11Error(call: "C_GetAttributeValue", code) }
            return false
        }
        return attribute.ulValueLen != CK_ULONG.max
    }

    /// A CK_BBOOL; nil when it is not there.
    func flag(_ type: CK_ATTRIBUTE_TYPE, of object: CK_OBJECT_HANDLE) throws(PKCS11Error) -> Bool? {
        guard let value = try attribute(type, of: object, room: 1), value.count == 1 else { return nil }
        return value[0] != 0
    }

    /// A CK_ULONG; nil when it is not there.
    func number(_ type: CK_ATTRIBUTE_TYPE, of object: CK_OBJECT_HANDLE) throws(PKCS11Error) -> CK_ULONG? {
        guard let value = try attribute(type, of: object, room: 8), value.count == 8 else { return nil }
        return value.withUnsafeBytes { $0.loadUnaligned(as: CK_ULONG.self) }
    }

    /// An array of CK_ULONG; empty when it is not there.
    func numbers(_ type: CK_ATTRIBUTE_TYPE, of object: CK_OBJECT_HANDLE) throws(PKCS11Error) -> [CK_ULONG] {
        guard let value = try attribute(type, of: object), value.count.isMultiple(of: 8) else { return [] }
        return value.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 8).map { bytes.loadUnaligned(fromByteOffset: $0, as: CK_ULONG.self) }
        }
    }

    /// Whether the library would hand out the key's value. Asks for its length only: the value itself stays where it is.
    func valueIsReadable(_ object: CK_OBJECT_HANDLE) -> Bool {
        var attribute = CK_ATTRIBUTE(type: AttributeType.value, pValue: nil, ulValueLen: 0)
        let code = module.code { $0.pointee.C_GetAttributeValue?(handle, object, &attribute, 1) }
        return code == .ok && attribute.ulValueLen != CK_ULONG.max
    }

    /// The objects that fit a template, at most 33: more than one is an error anyhow.
    func find(_ template: [Attribute]) throws(PKCS11Error) -> [CK_OBJECT_HANDLE] {
        let code = Attribute.withTemplate(template) { pointer, count in
            module.code { $0.pointee.C_FindObjectsInit?(handle, pointer, count) }
        }
        guard code == .ok else { throw PKCS11Error(call: "C_FindObjectsInit", code) }
        var objects = [CK_OBJECT_HANDLE](repeating: 0, count: 33)
        var found: CK_ULONG = 0
        let search = module.code { $0.pointee.C_FindObjects?(handle, &objects, 33, &found) }
        // The search ends in any case: an active one makes the session useless.
        let end = module.code { $0.pointee.C_FindObjectsFinal?(handle) }
        guard search == .ok else { throw PKCS11Error(call: "C_FindObjects", search) }
        guard end == .ok else { throw PKCS11Error(call: "C_FindObjectsFinal", end) }
        return Array(objects.prefix(Int(clamping: found)))
    }
}
