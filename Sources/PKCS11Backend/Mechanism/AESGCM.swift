internal import CP11Kit
internal import Crypto
internal import Keyring

/// CKM_AES_GCM with a 16-byte tag (PKCS#11 3.0, section 2.11.5; SP 800-38D), in the three ways in which tokens treat
/// the IV.
///
/// The IV that is handed to the token is always a random one of ours: SoftHSM 2.6 takes none at all and returns the same
/// ciphertext each time. A token that makes its own shows it by what comes back.
struct AESGCM: SealingMechanism {
    private static let ivSize = 12
    private static let longestIV = 16
    private static let tagSize = 16

    let number = UInt32(CKM_AES_GCM)
    let style: PKCS11Seal.Style

    var name: String {
        switch style {
        case .writtenIV: "AES-GCM, HSM's IV by parameter"
        case .appendedIV: "AES-GCM, HSM's IV appended"
        default: "AES-GCM, caller's IV"
        }
    }

    func objection(_ session: Session, _ slot: CK_SLOT_ID, _ key: SealingKey) throws(PKCS11Error) -> String? {
        guard !key.isPrivateKey, key.keyType == CK_KEY_TYPE(CKK_AES) else { return "not an AES key" }
        guard key.mayEncrypt, key.mayDecrypt else { return "the key lacks CKA_ENCRYPT or CKA_DECRYPT" }
        return try session.objection(
            to: number, named: "CKM_AES_GCM",
            needing: [(CK_FLAGS(CKF_ENCRYPT), "CKF_ENCRYPT"), (CK_FLAGS(CKF_DECRYPT), "CKF_DECRYPT")], slot, key)
    }

    func seal(
        _ plaintext: UnsafeRawBufferPointer, context: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> PKCS11Seal {
        let iv: [UInt8]
        do {
            iv = try Random.bytes(AESGCM.ivSize)
        } catch {
            throw PKCS11Error(.local, "IV: \(error)", errorClass: .retry)
        }
        do throws(PKCS11Error) {
            return try seal(plaintext, iv, context, session, key)
        } catch  where style == .writtenIV && error.code == .call && error.level == .request {
            // Tokens that make the IV may insist on room of zeros for it; `seal` refuses when the zeros stay.
            return try seal(plaintext, [UInt8](repeating: 0, count: AESGCM.ivSize), context, session, key)
        }
    }

    private func seal(
        _ plaintext: UnsafeRawBufferPointer, _ iv: [UInt8], _ context: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> PKCS11Seal {
        let made = try encrypt(plaintext, iv: iv, aad: bound(context), session, key)
        let body = plaintext.count + AESGCM.tagSize
        let appended = made.output.count - body
        let found: PKCS11Seal.Style
        switch appended {
        case 0: found = made.iv == iv ? .callerIV : .writtenIV
        case AESGCM.ivSize, AESGCM.longestIV: found = .appendedIV
        default: throw failed("the ciphertext has \(made.output.count) bytes, not \(body)")
        }
        guard found == style else { throw failed(AESGCM.surprise(found)) }
        let used = found == .appendedIV ? Array(made.output.suffix(appended)) : made.iv
        guard AESGCM.ivSize...AESGCM.longestIV ~= used.count, !used.allSatisfy({ $0 == 0 }) else {
            throw failed("the token returned no IV")
        }
        return PKCS11Seal(mechanism: number, style: style, iv: used, ciphertext: Array(made.output.prefix(body)))
    }

    private static func surprise(_ found: PKCS11Seal.Style) -> String {
        switch found {
        case .writtenIV: "the token replaced the IV"
        case .appendedIV: "the token appended an IV"
        default: "the token took the caller's IV"
        }
    }

    func open(
        _ seal: PKCS11Seal, context: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> SecretBytes {
        let sizes = style == .callerIV ? AESGCM.ivSize...AESGCM.ivSize : AESGCM.ivSize...AESGCM.longestIV
        guard sizes ~= seal.iv.count, seal.ciphertext.count > AESGCM.tagSize else { throw PKCS11Seal.doesNotOpen }
        let opened = try decrypt(seal.ciphertext, iv: seal.iv, aad: bound(context), session, key)
        guard opened.count == seal.ciphertext.count - AESGCM.tagSize else { throw PKCS11Seal.doesNotOpen }
        return opened
    }

    /// One C_Encrypt; returns all that the token wrote: the output, and the IV as it is afterwards.
    func encrypt(
        _ plaintext: UnsafeRawBufferPointer, iv: [UInt8], aad: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> (output: [UInt8], iv: [UInt8]) {
        var output: [UInt8] = []
        let ivAfter = try withMechanism(iv, aad) { (mechanism) throws(PKCS11Error) in
            // Room for an IV that the token appends: then the length gives it away.
            output = try session.encrypt(
                plaintext, room: plaintext.count + AESGCM.tagSize + 2 * AESGCM.longestIV, mechanism, key)
        }
        return (output, ivAfter)
    }

    /// One C_Decrypt.
    func decrypt(
        _ ciphertext: [UInt8], iv: [UInt8], aad: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> SecretBytes {
        let storage = GCMParameters(iv, aad, room: AESGCM.longestIV, tagBits: AESGCM.tagSize * 8)
        return try storage.withMechanism(number) { (mechanism) throws(PKCS11Error) in
            try session.decrypt(ciphertext, mechanism, key)
        }
    }

    private func withMechanism(
        _ iv: [UInt8], _ aad: [UInt8], _ body: (UnsafeMutablePointer<CK_MECHANISM>) throws(PKCS11Error) -> Void
    ) throws(PKCS11Error) -> [UInt8] {
        let storage = GCMParameters(iv, aad, room: AESGCM.longestIV, tagBits: AESGCM.tagSize * 8)
        try storage.withMechanism(number, body)
        return storage.iv
    }
}
