internal import CP11Kit
internal import Crypto

/// A sealing key on a token: its handle, and what it says about itself.
struct SealingKey: Sendable {
    /// Valid for one login.
    let handle: CK_OBJECT_HANDLE
    let id: [UInt8]
    let label: String
    let keyType: CK_KEY_TYPE
    /// CKK_AES or CKK_RSA private: see `isPrivateKey`.
    let isPrivateKey: Bool
    /// Bytes of an AES key, when the token says.
    let length: Int?
    let mayEncrypt: Bool
    let mayDecrypt: Bool
    let mayWrap: Bool
    let mayUnwrap: Bool
    /// What belongs to an RSA private key, when the token shows it.
    let publicKey: RSAPublicKey?
    /// Empty: every mechanism.
    let allowedMechanisms: [CK_ULONG]
    let check: KeyCheck

    /// Reads the key's attributes, each in a call of its own.
    init(_ session: Session, _ handle: CK_OBJECT_HANDLE, isPrivateKey: Bool) throws(PKCS11Error) {
        self.handle = handle
        self.isPrivateKey = isPrivateKey
        id = try session.attribute(AttributeType.id, of: handle) ?? []
        label = String(decoding: try session.attribute(AttributeType.label, of: handle) ?? [], as: UTF8.self)
        keyType = try session.number(AttributeType.keyType, of: handle) ?? CK_ULONG.max
        length = try session.number(AttributeType.valueLength, of: handle).map { Int(clamping: $0) }
        mayEncrypt = try session.flag(AttributeType.encrypt, of: handle) ?? false
        mayDecrypt = try session.flag(AttributeType.decrypt, of: handle) ?? false
        mayWrap = try session.flag(AttributeType.wrap, of: handle) ?? false
        mayUnwrap = try session.flag(AttributeType.unwrap, of: handle) ?? false
        publicKey = isPrivateKey ? try session.publicKey(of: handle, id: id) : nil
        allowedMechanisms = try session.numbers(AttributeType.allowedMechanisms, of: handle)
        check = try KeyCheck(session, handle)
    }

    /// For lists: `"kek-sealer" (id 01)`.
    var name: String { SealingKey.name(label: label, id: id) }

    static func name(label: String, id: [UInt8]) -> String {
        "\"\(label)\" (id \(id.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()))"
    }
}

extension Session {
    /// The public half of an RSA private key: from itself, else from the public key of the same CKA_ID.
    fileprivate func publicKey(of privateKey: CK_OBJECT_HANDLE, id: [UInt8]) throws(PKCS11Error) -> RSAPublicKey? {
        if let key = try publicKey(at: privateKey) { return key }
        guard !id.isEmpty else { return nil }
        let found = try find([
            .number(AttributeType.objectClass, CK_ULONG(CKO_PUBLIC_KEY)), .bytes(AttributeType.id, id),
        ])
        guard let only = found.first, found.count == 1 else { return nil }
        return try publicKey(at: only)
    }

    private func publicKey(at object: CK_OBJECT_HANDLE) throws(PKCS11Error) -> RSAPublicKey? {
        guard let modulus = try attribute(AttributeType.modulus, of: object),
            let exponent = try attribute(AttributeType.publicExponent, of: object)
        else { return nil }
        return RSAPublicKey(modulus: modulus, exponent: exponent)
    }

    /// The one key that the URI selects on this token; nil when there is none.
    ///
    /// - Throws: `notFound` with a list when there are several (SoftHSM holds two keys of one label and ID happily).
    func findKey(_ uri: KeyURI) throws(PKCS11Error) -> SealingKey? {
        var template = [Attribute.flag(AttributeType.token, true)]
        if let label = uri.objectLabel { template.append(.bytes(AttributeType.label, Array(label.utf8))) }
        if let id = uri.objectID { template.append(.bytes(AttributeType.id, id)) }
        if let isPrivate = uri.isPrivateKey {
            let objectClass = isPrivate ? CK_ULONG(CKO_PRIVATE_KEY) : CK_ULONG(CKO_SECRET_KEY)
            template.append(.number(AttributeType.objectClass, objectClass))
        }
        // A public key or a certificate of the same label is not what seals.
        var keys: [(CK_OBJECT_HANDLE, isPrivate: Bool)] = []
        for object in try find(template) {
            switch try number(AttributeType.objectClass, of: object) {
            case CK_ULONG(CKO_SECRET_KEY): keys.append((object, false))
            case CK_ULONG(CKO_PRIVATE_KEY): keys.append((object, true))
            default: continue
            }
        }
        guard keys.count <= 1 else {
            var names: [String] = []
            for key in keys {
                let label = try attribute(AttributeType.label, of: key.0) ?? []
                let id = try attribute(AttributeType.id, of: key.0) ?? []
                names.append(SealingKey.name(label: String(decoding: label, as: UTF8.self), id: id))
            }
            throw PKCS11Error(
                .notFound, "\(keys.count) keys fit the URI: \(names.joined(separator: ", "))",
                hint: "select one by id=%XX in the URI, or remove the others")
        }
        guard let key = keys.first else { return nil }
        return try SealingKey(self, key.0, isPrivateKey: key.isPrivate)
    }
}
