internal import CP11Kit
internal import Crypto

/// One way in which a token seals 32 bytes with a context. To add one: a type here, a line in `SealingMechanisms.all`,
/// and a style if it stores its IV or calls the token in another way.
protocol SealingMechanism: Sendable {
    /// The CKM number that a seal stores.
    var number: UInt32 { get }
    var style: PKCS11Seal.Style { get }
    /// `AES-GCM, caller's IV`.
    var name: String { get }

    /// Why this mechanism cannot be used with this key on this token, or nil. Flags are only a first sieve: what a token
    /// says is not always true, so `MechanismProbe` has the last word.
    func objection(_ session: Session, _ slot: CK_SLOT_ID, _ key: SealingKey) throws(PKCS11Error) -> String?

    func seal(
        _ plaintext: UnsafeRawBufferPointer, context: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> PKCS11Seal

    /// One decryption.
    ///
    /// - Throws: `PKCS11Seal.doesNotOpen`'s class for a ciphertext that the token refuses, or what the call returned.
    func open(
        _ seal: PKCS11Seal, context: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> SecretBytes
}

extension SealingMechanism {
    /// What is bound: the context, and which mechanism and style made the seal, since some of them open each other's
    /// (AES-GCM whatever the IV's origin, key wrap by either function). The first style is older than that and shares
    /// its ciphertexts' form with none that binds the bare context.
    func bound(_ context: [UInt8]) -> [UInt8] {
        if style == .callerIV { return context }
        let header = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) } + [style.rawValue]
        return context + PKCS11Seal.lengthPrefixed(header)
    }
}

/// The mechanisms that this version knows, in the order of choice.
enum SealingMechanisms {
    static let all: [any SealingMechanism] = [
        AESGCM(style: .callerIV), AESGCM(style: .writtenIV), AESGCM(style: .appendedIV),
        AESKeyWrap(number: AESKeyWrap.kwp, style: .wrapByEncrypt),
        AESKeyWrap(number: AESKeyWrap.wrapPad, style: .wrapByEncrypt),
        AESKeyWrap(number: AESKeyWrap.kwp, style: .wrapKey),
        AESKeyWrap(number: AESKeyWrap.wrapPad, style: .wrapKey),
        RSAOAEPSealing(style: .oaepSHA256), RSAOAEPSealing(style: .oaepSHA1),
    ]

    /// The mechanism that made a seal: exactly that one is used.
    static func named(_ seal: PKCS11Seal) throws(PKCS11Error) -> any SealingMechanism {
        for mechanism in all where mechanism.number == seal.mechanism && mechanism.style.rawValue == seal.style {
            return mechanism
        }
        throw PKCS11Seal.error(
            "mechanism 0x\(String(seal.mechanism, radix: 16)), style \(seal.style) is unknown to this version",
            hint: "a newer trousseau made it")
    }
}

extension Session {
    /// The first sieve: what the key and the token say about a mechanism. Asks for exactly the flags `needed`.
    func objection(
        to mechanism: UInt32, named name: String, needing needed: [(flag: CK_FLAGS, name: String)], _ slot: CK_SLOT_ID,
        _ key: SealingKey
    ) throws(PKCS11Error) -> String? {
        guard key.allowedMechanisms.isEmpty || key.allowedMechanisms.contains(CK_ULONG(mechanism)) else {
            return "CKA_ALLOWED_MECHANISMS of the key leaves \(name) out"
        }
        // Zeroed first: some libraries return CKR_OK without writing.
        var info = CK_MECHANISM_INFO()
        let code = module.code { $0.pointee.C_GetMechanismInfo?(slot, CK_ULONG(mechanism), &info) }
        guard code == .ok else {
            guard RecoveryLevel(code) == .request else { throw PKCS11Error(call: "C_GetMechanismInfo", code) }
            return "the token does not have \(name) (\(code))"
        }
        let missing = needed.filter { info.flags & $0.flag == 0 }.map(\.name)
        return missing.isEmpty ? nil : "the token's \(name) lacks \(missing.joined(separator: " and "))"
    }
}
