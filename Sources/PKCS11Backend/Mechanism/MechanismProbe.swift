internal import Crypto
internal import Keyring

/// Tries a mechanism before anything is entrusted to it: what tokens claim is not always so.
enum MechanismProbe {
    /// Two round trips of two secrets whose ciphertexts must differ, then an altered copy and a foreign context that
    /// must not open.
    ///
    /// Where a mechanism is randomized, the same secret is sealed twice; key wrapping is not (RFC 5649).
    ///
    /// - Returns: why the mechanism does not work here, or nil when it does.
    /// - Throws: `keyRefused` when it only pretends to, or what a call returned that says nothing about the mechanism.
    static func run(
        _ mechanism: any SealingMechanism, _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> String? {
        do throws(PKCS11Error) {
            try tryOut(mechanism, session, key)
            return nil
        } catch {
            // SoftHSM says CKR_GENERAL_ERROR for much; other levels say nothing about the mechanism.
            switch error.code {
            case .call where error.level == .request || error.level == .generalError: return error.message
            case .mechanism: return error.message
            default: throw error
            }
        }
    }

    private static func tryOut(
        _ mechanism: any SealingMechanism, _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) {
        let context = Array("trousseau pkcs11 probe".utf8)
        var seals: [PKCS11Seal] = []
        let first = try random()
        let second = try mechanism.style.isRandomized ? copy(first) : random()
        for index in 0..<2 {
            let seal = try withSecret(index == 0 ? 0 : 1, first, second) { (bytes) throws(PKCS11Error) in
                try mechanism.seal(bytes, context: context, session, key)
            }
            let opened: SecretBytes
            do throws(PKCS11Error) {
                opened = try mechanism.open(seal, context: context, session, key)
            } catch  where error.code == .seal {
                throw mechanism.failed("what it sealed does not open")
            }
            guard index == 0 ? opened.isEqual(to: first) : opened.isEqual(to: second) else {
                throw refused(mechanism, "what was sealed opens to something else")
            }
            seals.append(seal)
        }
        guard seals[0].ciphertext != seals[1].ciphertext else {
            throw refused(mechanism, "two seals have one ciphertext")
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
        // In a session of its own, since what fails may leave it unusable; the login is for all of them.
        let own = try? Session(session.module, slot: session.slot)
        defer { own?.close() }
        do throws(PKCS11Error) {
            _ = try mechanism.open(seal, context: context, own ?? session, key)
            return true
        } catch {
            // SoftHSM says CKR_GENERAL_ERROR; other levels say nothing about the ciphertext.
            guard error.level == .request || error.level == .generalError else { throw error }
            return false
        }
    }

    private static func random() throws(PKCS11Error) -> SecretBytes {
        do {
            return try SecretBytes(randomCount: 32)
        } catch {
            throw PKCS11Error(.local, "probe: \(error)", errorClass: .retry)
        }
    }

    private static func copy(_ secret: borrowing SecretBytes) throws(PKCS11Error) -> SecretBytes {
        do {
            return try secret.withUnsafeBytes { (bytes) throws(CryptoError) in try SecretBytes(copying: bytes) }
        } catch {
            throw PKCS11Error(.local, "probe: \(error)", errorClass: .retry)
        }
    }

    private static func withSecret<R>(
        _ index: Int, _ first: borrowing SecretBytes, _ second: borrowing SecretBytes,
        _ body: (UnsafeRawBufferPointer) throws(PKCS11Error) -> R
    ) throws(PKCS11Error) -> R {
        if index == 0 { return try first.withUnsafeBytes(body) }
        return try second.withUnsafeBytes(body)
    }

    private static func refused(_ mechanism: any SealingMechanism, _ what: String) -> PKCS11Error {
        PKCS11Error(
            .keyRefused, "\(mechanism.name) of this token cannot be trusted: \(what)",
            hint: "report it to the HSM's vendor and use another token")
    }
}

extension SealingMechanism {
    /// It does not work on this token, which says nothing about the next mechanism.
    func failed(_ what: String) -> PKCS11Error {
        PKCS11Error(
            .mechanism, "\(name): \(what)", hint: "the token behaves otherwise than when it was probed: run doctor",
            errorClass: .operatorMustAct)
    }
}
