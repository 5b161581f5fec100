internal import CP11Kit
internal import Crypto
internal import Keyring

/// CKM_AES_GCM with a random 12-byte IV of ours and a 16-byte tag (PKCS#11 3.0, section 2.11.5; SP 800-38D).
///
/// An IV is never left to the token: SoftHSM 2.6 takes none at all and returns the same ciphertext each time.
struct AESGCM: SealingMechanism {
    private static let ivSize = 12
    private static let tagSize = 16

    let number = UInt32(CKM_AES_GCM)
    let style = PKCS11Seal.Style.callerIV
    let name = "AES-GCM, caller's IV"

    func fits(_ key: SealingKey) -> Bool {
        !key.isPrivateKey && key.keyType == CK_KEY_TYPE(CKK_AES) && key.mayEncrypt && key.mayDecrypt
    }

    func objection(_ session: Session, _ slot: CK_SLOT_ID, _ key: SealingKey) throws(PKCS11Error) -> String? {
        guard !key.isPrivateKey, key.keyType == CK_KEY_TYPE(CKK_AES) else { return "not an AES key" }
        guard key.mayEncrypt, key.mayDecrypt else { return "the key lacks CKA_ENCRYPT or CKA_DECRYPT" }
        guard key.allowedMechanisms.isEmpty || key.allowedMechanisms.contains(CK_ULONG(number)) else {
            return "CKA_ALLOWED_MECHANISMS of the key leaves CKM_AES_GCM out"
        }
        // Zeroed first: some libraries return CKR_OK without writing.
        var info = CK_MECHANISM_INFO()
        let code = session.module.code { $0.pointee.C_GetMechanismInfo?(slot, CK_ULONG(number), &info) }
        guard code == .ok else {
            guard RecoveryLevel(code) == .request else { throw PKCS11Error(call: "C_GetMechanismInfo", code) }
            return "the token does not have CKM_AES_GCM (\(code))"
        }
        let needed = CK_FLAGS(CKF_ENCRYPT) | CK_FLAGS(CKF_DECRYPT)
        return info.flags & needed == needed ? nil : "the token's CKM_AES_GCM lacks CKF_ENCRYPT or CKF_DECRYPT"
    }

    func seal(
        _ plaintext: UnsafeRawBufferPointer, context: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> PKCS11Seal {
        let iv: [UInt8]
        do {
            iv = try Random.bytes(AESGCM.ivSize)
        } catch {
            throw PKCS11Error(.call, "IV: \(error)", errorClass: .retry)
        }
        // Room for an IV that the token appends: then the length gives it away.
        var output = [UInt8](repeating: 0, count: plaintext.count + 64)
        var count = CK_ULONG(output.count)
        let input = UnsafeMutablePointer(mutating: plaintext.assumingMemoryBound(to: UInt8.self).baseAddress)
        let ivAfter = try withMechanism(iv, context) { (mechanism) throws(PKCS11Error) in
            try session.module.call("C_EncryptInit") {
                $0.pointee.C_EncryptInit?(session.handle, mechanism, key.handle)
            }
            try session.module.call("C_Encrypt") {
                $0.pointee.C_Encrypt?(session.handle, input, CK_ULONG(plaintext.count), &output, &count)
            }
        }
        guard ivAfter == iv else {
            throw refused("the token replaced the IV")
        }
        guard count == CK_ULONG(plaintext.count + AESGCM.tagSize) else {
            throw refused("the ciphertext has \(count) bytes, not \(plaintext.count + AESGCM.tagSize)")
        }
        return PKCS11Seal(
            mechanism: number, style: style, iv: iv, ciphertext: Array(output.prefix(Int(clamping: count))))
    }

    func open(
        _ seal: PKCS11Seal, context: [UInt8], _ session: Session, _ key: SealingKey
    ) throws(PKCS11Error) -> SecretBytes {
        guard seal.iv.count == AESGCM.ivSize, seal.ciphertext.count > AESGCM.tagSize else {
            throw PKCS11Seal.doesNotOpen
        }
        var ciphertext = seal.ciphertext
        let inputCount = CK_ULONG(ciphertext.count)
        do {
            // Room for the whole ciphertext: no call only to ask for the length.
            return try SecretBytes(capacity: ciphertext.count) { memory in
                var count = CK_ULONG(memory.count)
                let output = memory.assumingMemoryBound(to: UInt8.self).baseAddress
                _ = try withMechanism(seal.iv, context) { (mechanism) throws(PKCS11Error) in
                    try session.module.call("C_DecryptInit") {
                        $0.pointee.C_DecryptInit?(session.handle, mechanism, key.handle)
                    }
                    try session.module.call("C_Decrypt") {
                        $0.pointee.C_Decrypt?(session.handle, &ciphertext, inputCount, output, &count)
                    }
                }
                guard Int(clamping: count) == seal.ciphertext.count - AESGCM.tagSize else {
                    throw PKCS11Seal.doesNotOpen
                }
                return Int(count)
            }
        } catch let error as PKCS11Error {
            throw error
        } catch {
            throw PKCS11Error(.call, "C_Decrypt: \(error)", errorClass: .retry)
        }
    }

    /// The mechanism with its parameters, for as long as the operation lasts; returns the IV as it is afterwards.
    private func withMechanism(
        _ iv: [UInt8], _ context: [UInt8],
        _ body: (UnsafeMutablePointer<CK_MECHANISM>) throws(PKCS11Error) -> Void
    ) throws(PKCS11Error) -> [UInt8] {
        let storage = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: iv.count + context.count)
        defer { storage.deallocate() }
        _ = storage.initialize(from: iv + context)
        var parameters = CK_GCM_PARAMS()
        parameters.pIv = storage.baseAddress
        parameters.ulIvLen = CK_ULONG(iv.count)
        parameters.ulIvBits = CK_ULONG(iv.count * 8)
        parameters.pAAD = storage.baseAddress?.advanced(by: iv.count)
        parameters.ulAADLen = CK_ULONG(context.count)
        parameters.ulTagBits = CK_ULONG(AESGCM.tagSize * 8)
        let problem = withUnsafeMutablePointer(to: &parameters) { pointer in
            var mechanism = CK_MECHANISM(
                mechanism: CK_ULONG(number), pParameter: UnsafeMutableRawPointer(pointer),
                ulParameterLen: CK_ULONG(MemoryLayout<CK_GCM_PARAMS>.size))
            return Result { () throws(PKCS11Error) in try body(&mechanism) }
        }
        try problem.get()
        return Array(storage.prefix(iv.count))
    }

    private func refused(_ what: String) -> PKCS11Error {
        PKCS11Error(
            .keyRefused, "CKM_AES_GCM: \(what)", hint: "this HSM makes its own IVs, which this version cannot use")
    }
}
