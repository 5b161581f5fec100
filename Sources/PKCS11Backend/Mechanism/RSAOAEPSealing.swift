internal import CP11Kit
internal import Crypto
internal import Keyring

/// RSA-OAEP (PKCS#1 2.2, RFC 8017 section 7.1): sealed here with the public key that was read from the token, opened by
/// the private key in it.
///
/// Whoever knows the public key can make such a seal, so it authenticates nobody. Labels are not used: SoftHSM 2.6 and
/// AWS CloudHSM take none; the context stands in the text (`BoundPlaintext`).
struct RSAOAEPSealing: SealingMechanism {
    /// Below this a modulus is refused (SP 800-57 part 1: 112 bits of strength).
    private static let smallestModulus = 2048

    let number = UInt32(CKM_RSA_PKCS_OAEP)
    let style: PKCS11Seal.Style

    var name: String { style == .oaepSHA1 ? "RSA-OAEP with SHA-1" : "RSA-OAEP with SHA-256" }

    func objection(_ session: Session, _ slot: CK_SLOT_ID, _ key: SealingKey) throws(PKCS11Error) -> String? {
        guard key.isPrivateKey, key.keyType == CK_KEY_TYPE(CKK_RSA) else { return "not an RSA private key" }
        guard key.mayDecrypt else { return "the key lacks CKA_DECRYPT" }
        guard let publicKey = key.publicKey else {
            return "the token shows neither the modulus of the private key nor a public key of the same CKA_ID"
        }
        guard publicKey.bits >= RSAOAEPSealing.smallestModulus else {
            return "the key has \(publicKey.bits) bits, fewer than \(RSAOAEPSealing.smallestModulus)"
        }
        return try session.objection(
            to: number, named: "CKM_RSA_PKCS_OAEP", needing: [(CK_FLAGS(CKF_DECRYPT), "CKF_DECRYPT")], slot, key)
    }

    func seal(
        _ plaintext: UnsafeRawBufferPointer, context: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> PKCS11Seal {
        guard let publicKey = key.publicKey else { throw failed("the token no longer shows the public key") }
        let bound = try BoundPlaintext.make(plaintext, context: bound(context))
        do {
            let ciphertext = try bound.withUnsafeBytes { (bytes) throws(CryptoError) in
                try RSAOAEP.encrypt(bytes, to: publicKey, digest: style == .oaepSHA1 ? .sha1 : .sha256)
            }
            return PKCS11Seal(mechanism: number, style: style, iv: [], ciphertext: ciphertext)
        } catch {
            throw failed("the public key cannot be used: \(error)")
        }
    }

    func open(
        _ seal: PKCS11Seal, context: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> SecretBytes {
        guard seal.iv.isEmpty else { throw PKCS11Seal.doesNotOpen }
        return try BoundPlaintext.open(decrypt(seal.ciphertext, session, key), context: bound(context))
    }

    /// One C_Decrypt.
    func decrypt(_ ciphertext: [UInt8], _ session: Session, _ key: SealingKey) throws(PKCS11Error) -> SecretBytes {
        var parameters = CK_RSA_PKCS_OAEP_PARAMS()
        parameters.hashAlg = CK_MECHANISM_TYPE(style == .oaepSHA1 ? Int(CKM_SHA_1) : Int(CKM_SHA256))
        parameters.mgf = CK_RSA_PKCS_MGF_TYPE(style == .oaepSHA1 ? Int(CKG_MGF1_SHA1) : Int(CKG_MGF1_SHA256))
        parameters.source = CK_RSA_PKCS_OAEP_SOURCE_TYPE(CKZ_DATA_SPECIFIED)
        return try withUnsafeMutablePointer(to: &parameters) { (pointer) throws(PKCS11Error) in
            var mechanism = CK_MECHANISM(
                mechanism: CK_ULONG(number), pParameter: UnsafeMutableRawPointer(pointer),
                ulParameterLen: CK_ULONG(MemoryLayout<CK_RSA_PKCS_OAEP_PARAMS>.size))
            return try session.decrypt(ciphertext, &mechanism, key)
        }
    }
}
