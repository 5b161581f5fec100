internal import Crypto
internal import Keyring

/// Tries a mechanism before anything is entrusted to it: what tokens claim is not always so.
enum MechanismProbe {
    /// Two round trips whose ciphertexts must differ, then an altered copy and a foreign context that must not open.
    ///
    /// - Throws: `keyRefused`, or what a call returned.
    static func run(_ mechanism: any SealingMechanism, _ session: Session, _ key: SealingKey) throws(PKCS11Error) {
        let context = Array("trousseau pkcs11 probe".utf8)
        let secret: SecretBytes
        do {
            secret = try SecretBytes(randomCount: 32)
        } catch {
            throw PKCS11Error(.call, "probe: \(error)", errorClass: .retry)
        }
        var seals: [PKCS11Seal] = []
        for _ in 0..<2 {
            let seal = try secret.withUnsafeBytes { (bytes) throws(PKCS11Error) in
                try mechanism.seal(bytes, context: context, session, key)
            }
            let opened = try mechanism.open(seal, context: context, session, key)
            guard opened.isEqual(to: secret) else {
                throw refused(mechanism, "what was sealed opens to something else")
            }
            seals.append(seal)
        }
        guard seals[0].ciphertext != seals[1].ciphertext else {
            throw refused(mechanism, "two seals of the same secret are equal")
        }
        var altered = seals[0].ciphertext
        altered[altered.count - 1] ^= 1
        let copy = PKCS11Seal(
            mechanism: mechanism.number, style: mechanism.style, iv: seals[0].iv, ciphertext: altered)
        guard try !opens(copy, context, mechanism, session, key) else {
            throw refused(mechanism, "an altered ciphertext opens")
        }
        guard try !opens(seals[0], context + [0], mechanism, session, key) else {
            throw refused(mechanism, "a seal opens in a foreign context")
        }
    }

    private static func opens(
        _ seal: PKCS11Seal, _ context: [UInt8], _ mechanism: any SealingMechanism, _ session: Session,
        _ key: SealingKey
    ) throws(PKCS11Error) -> Bool {
        do {
            _ = try mechanism.open(seal, context: context, session, key)
            return true
        } catch {
            // SoftHSM says CKR_GENERAL_ERROR; other levels say nothing about the ciphertext.
            guard error.level == .request || error.level == .generalError else { throw error }
            return false
        }
    }

    private static func refused(_ mechanism: any SealingMechanism, _ what: String) -> PKCS11Error {
        PKCS11Error(
            .keyRefused, "\(mechanism.name) of this token cannot be trusted: \(what)",
            hint: "report it to the HSM's vendor and use another token")
    }
}
