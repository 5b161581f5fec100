internal import CP11Kit
internal import Crypto
internal import Keyring

/// AES key wrap with padding (RFC 5649, SP 800-38F KWP), by C_Encrypt or by C_WrapKey.
///
/// CKM_AES_KEY_WRAP_KWP is 0x210B since PKCS#11 3.0. 0x210A, CKM_AES_KEY_WRAP_PAD, is the same to some vendors and key
/// wrap of a PKCS#7-padded text to others; each opens what it made, so a seal stores the number and the probe decides.
/// Nothing is authenticated but the text itself, which therefore holds the context (`BoundPlaintext`). Deterministic:
/// two seals of one KEK are equal, which tells nobody anything about 32 random bytes.
struct AESKeyWrap: SealingMechanism {
    static let kwp: UInt32 = 0x210B
    static let wrapPad: UInt32 = 0x210A
    /// RFC 5649's integrity check value; with PKCS#7 another block of 8 comes before.
    private static let overhead = 8...16

    let number: UInt32
    let style: PKCS11Seal.Style

    var name: String {
        "AES key wrap with padding (0x\(String(number, radix: 16))) by "
            + (style == .wrapKey ? "C_WrapKey" : "C_Encrypt")
    }

    func objection(_ session: Session, _ slot: CK_SLOT_ID, _ key: SealingKey) throws(PKCS11Error) -> String? {
        guard !key.isPrivateKey, key.keyType == CK_KEY_TYPE(CKK_AES) else { return "not an AES key" }
        let label = "mechanism 0x\(String(number, radix: 16))"
        if style == .wrapKey {
            guard key.mayWrap, key.mayUnwrap else { return "the key lacks CKA_WRAP or CKA_UNWRAP" }
            return try session.objection(
                to: number, named: label,
                needing: [(CK_FLAGS(CKF_WRAP), "CKF_WRAP"), (CK_FLAGS(CKF_UNWRAP), "CKF_UNWRAP")], slot, key)
        }
        guard key.mayEncrypt, key.mayDecrypt else { return "the key lacks CKA_ENCRYPT or CKA_DECRYPT" }
        return try session.objection(
            to: number, named: label,
            needing: [(CK_FLAGS(CKF_ENCRYPT), "CKF_ENCRYPT"), (CK_FLAGS(CKF_DECRYPT), "CKF_DECRYPT")], slot, key)
    }

    func seal(
        _ plaintext: UnsafeRawBufferPointer, context: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> PKCS11Seal {
        let bound = try BoundPlaintext.make(plaintext, context: bound(context))
        let output = try bound.withUnsafeBytes { (bytes) throws(PKCS11Error) in try wrap(bytes, session, key) }
        guard AESKeyWrap.overhead ~= output.count - bound.count else {
            throw failed("the ciphertext has \(output.count) bytes for \(bound.count)")
        }
        return PKCS11Seal(mechanism: number, style: style, iv: [], ciphertext: output)
    }

    func open(
        _ seal: PKCS11Seal, context: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> SecretBytes {
        guard seal.iv.isEmpty, seal.ciphertext.count.isMultiple(of: 8), seal.ciphertext.count >= 16 else {
            throw PKCS11Seal.doesNotOpen
        }
        return try BoundPlaintext.open(unwrap(seal.ciphertext, session, key), context: bound(context))
    }

    /// Wraps any bytes.
    func wrap(
        _ bytes: UnsafeRawBufferPointer, _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> [UInt8] {
        var mechanism = CK_MECHANISM(mechanism: CK_ULONG(number), pParameter: nil, ulParameterLen: 0)
        let room = bytes.count + 32
        guard style == .wrapKey else { return try session.encrypt(bytes, room: room, &mechanism, key) }
        return try session.withSecretObject(bytes) { (object) throws(PKCS11Error) in
            var output = [UInt8](repeating: 0, count: room)
            var count = CK_ULONG(room)
            try session.module.call("C_WrapKey") {
                $0.pointee.C_WrapKey?(session.handle, &mechanism, key.handle, object, &output, &count)
            }
            guard count <= CK_ULONG(room) else { throw Session.overrun("C_WrapKey", count) }
            return Array(output.prefix(Int(count)))
        }
    }

    /// What was wrapped.
    func unwrap(_ wrapped: [UInt8], _ session: Session, _ key: SealingKey) throws(PKCS11Error) -> SecretBytes {
        var mechanism = CK_MECHANISM(mechanism: CK_ULONG(number), pParameter: nil, ulParameterLen: 0)
        guard style == .wrapKey else { return try session.decrypt(wrapped, &mechanism, key) }
        return try session.unwrapSecret(wrapped, &mechanism, key)
    }
}
