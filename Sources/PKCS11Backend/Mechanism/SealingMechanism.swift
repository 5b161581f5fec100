internal import CP11Kit
internal import Crypto

/// One way in which a token seals 32 bytes with a context. To add one: a type here, a line in `SealingMechanisms.all`,
/// and a style if it stores its IV in another way.
protocol SealingMechanism: Sendable {
    /// The CKM number that a seal stores.
    var number: UInt32 { get }
    var style: PKCS11Seal.Style { get }
    /// `AES-GCM, caller's IV`.
    var name: String { get }

    /// Whether the key's type and attributes suit it; asks the token nothing.
    func fits(_ key: SealingKey) -> Bool

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

/// The mechanisms that this version knows, in the order of choice.
enum SealingMechanisms {
    static let all: [any SealingMechanism] = [AESGCM()]

    /// The mechanism that made a seal: exactly that one is used.
    static func named(_ seal: PKCS11Seal) throws(PKCS11Error) -> any SealingMechanism {
        for mechanism in all where mechanism.number == seal.mechanism && mechanism.style.rawValue == seal.style {
            return mechanism
        }
        throw PKCS11Seal.error(
            "mechanism 0x\(String(seal.mechanism, radix: 16)), style \(seal.style) is unknown to this version",
            hint: "a newer trousseau made it")
    }

    /// The first mechanism that fits the key; it was probed when the recipient was described.
    static func choose(_ key: SealingKey) throws(PKCS11Error) -> any SealingMechanism {
        for mechanism in all where mechanism.fits(key) { return mechanism }
        throw refused(key, "none of \(all.map(\.name).joined(separator: ", ")) fits it")
    }

    /// The first mechanism that fits and passes its probe.
    static func choose(
        _ session: Session, _ slot: CK_SLOT_ID, _ key: SealingKey
    ) throws(PKCS11Error) -> any SealingMechanism {
        var objections: [String] = []
        for mechanism in all {
            if let objection = try mechanism.objection(session, slot, key) {
                objections.append("\(mechanism.name): \(objection)")
                continue
            }
            try MechanismProbe.run(mechanism, session, key)
            return mechanism
        }
        throw refused(key, objections.joined(separator: "; "))
    }

    private static func refused(_ key: SealingKey, _ why: String) -> PKCS11Error {
        PKCS11Error(
            .keyRefused, "key \(key.name) cannot seal: \(why)",
            hint: "use an AES key with CKA_ENCRYPT and CKA_DECRYPT on a token that has CKM_AES_GCM")
    }
}
