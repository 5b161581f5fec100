internal import Crypto

extension ImportSeal {
    /// Seals to a TPM that is not at hand; only the one that holds `parent` can open it.
    ///
    /// - Parameters:
    ///   - secret: 32 bytes.
    ///   - parent: a storage key, whose owner has to be known by other means: this seals to whatever it is given.
    ///   - policyDigest: SHA-256, of the policy that the opener has to satisfy; empty for none. Never one with a PIN:
    ///     the PIN would have to be known here, and an object made without it opens with an empty one.
    /// - Throws: `unsupported` when the parent is not a storage key, `malformed` when a length is wrong, `cryptography`.
    static func make(
        secret: borrowing SecretBytes, parent: TPMPublic, policyDigest: [UInt8]
    ) throws(TPMFormatError) -> ImportSeal {
        try secret.withUnsafeBytes { (bytes) throws(TPMFormatError) in
            try make(secret: bytes, parent: parent, policyDigest: policyDigest)
        }
    }

    /// As above; `secret` should be in secure memory.
    static func make(
        secret: UnsafeRawBufferPointer, parent: TPMPublic, policyDigest: [UInt8]
    ) throws(TPMFormatError) -> ImportSeal {
        if let refusal = parent.storageRefusal {
            throw TPMFormatError(.unsupported, "the TPM's key is none to seal to: \(refusal)")
        }
        return try make(secret: secret, parent: parent, policyDigest: policyDigest, seed: ImportSeed(to: parent))
    }

    /// As above, with a seed of the caller's making.
    static func make(
        secret: UnsafeRawBufferPointer, parent: TPMPublic, policyDigest: [UInt8], seed: borrowing ImportSeed
    ) throws(TPMFormatError) -> ImportSeal {
        guard secret.count == secretSize else {
            throw TPMFormatError(.malformed, "a secret of \(secret.count) bytes, not \(secretSize), to seal")
        }
        guard policyDigest.isEmpty || policyDigest.count == HashAlgorithm.sha256.size else {
            throw TPMFormatError(.malformed, "a policy digest of \(policyDigest.count) bytes, not of SHA-256")
        }
        guard let bits = parent.symmetricBits else {
            throw TPMFormatError(.unsupported, "the TPM's key protects its children with no cipher")
        }
        do throws(CryptoError) {
            let sensitive = try SealedSensitive(secret)
            let publicArea = TPMPublic(
                nameAlgorithm: .sha256, attributes: attributes(policyDigest: policyDigest), authPolicy: policyDigest,
                key: .keyedHash(unique: sensitive.unique))
            let duplicate = try wrap(
                sensitive.bytes, name: publicArea.name, seed: seed.secret, hash: parent.nameAlgorithm, bits: bits)
            return ImportSeal(publicArea: publicArea, duplicate: duplicate, encryptedSeed: seed.encrypted)
        } catch {
            throw TPMFormatError(error)
        }
    }

    /// The outer wrapper (part 1, "Protected Storage"): TPM2B(HMAC(ciphertext ‖ Name)) ‖ ciphertext, under two keys
    /// that the parent derives from the seed. The Name binds the public area to it.
    static func wrap(
        _ sensitive: borrowing SecretBytes, name: [UInt8], seed: borrowing SecretBytes, hash: HashAlgorithm, bits: Int
    ) throws(CryptoError) -> [UInt8] {
        let cipherKey = try KDFa.derive(from: seed, label: "STORAGE", contextU: name, count: bits / 8, hash: hash)
        let macKey = try KDFa.derive(from: seed, label: "INTEGRITY", count: hash.size, hash: hash)
        let ciphertext = try AESCFB.encryptOnce(sensitive, key: cipherKey)
        let integrity = try HMAC.authenticate(ciphertext + name, key: macKey, hash: hash)
        return TPMWriter.bytes { writer in
            writer.sized(integrity)
            writer.append(ciphertext)
        }
    }
}

/// TPM 2.0's key derivation (part 1, "KDFa()"): SP 800-108 in counter mode with HMAC.
enum KDFa {
    /// HMAC(key, [i]₃₂ ‖ label ‖ 0 ‖ contextU ‖ contextV ‖ [bits]₃₂).
    static func derive(
        from key: borrowing SecretBytes, label: String, contextU: [UInt8] = [], contextV: [UInt8] = [], count: Int,
        hash: HashAlgorithm
    ) throws(CryptoError) -> SecretBytes {
        try KBKDF.derive(from: key, label: label, context: contextU + contextV, count: count, hash: hash)
    }
}
