internal import Crypto

/// A secret sealed to a TPM's storage key by anyone who knows its public half: an object that TPM2_Import takes (part 1,
/// "Protected Storage", "Duplication"), wrapped as if another TPM had duplicated it.
///
/// It proves nothing about its maker. Frozen format: version(1) ‖ style(1) ‖ TPM2B_PUBLIC ‖ TPM2B_PRIVATE ‖
/// TPM2B_ENCRYPTED_SECRET, 230 bytes for a P-256 parent without a policy and 262 with one.
struct ImportSeal: Sendable, Equatable {
    static let version: UInt8 = 1
    /// Tells it from what a later version may put into a shared record.
    static let style: UInt8 = 1
    /// As `Seal.bytes` allows.
    static let limit = 2048
    /// The secret is a KEK.
    static let secretSize = 32

    /// The object; its nameAlg is SHA-256, whatever the parent's is.
    let publicArea: TPMPublic
    /// What TPM2_Import takes as `duplicate`: TPM2B(HMAC) ‖ the encrypted TPM2B_SENSITIVE.
    let duplicate: [UInt8]
    /// What it takes as `inSymSeed`: an ephemeral TPMS_ECC_POINT, or an RSA-OAEP ciphertext.
    let encryptedSeed: [UInt8]

    init(publicArea: TPMPublic, duplicate: [UInt8], encryptedSeed: [UInt8]) {
        self.publicArea = publicArea
        self.duplicate = duplicate
        self.encryptedSeed = encryptedSeed
    }

    /// The attributes of the object: neither fixedTPM nor fixedParent, which no imported object may have. Who may
    /// use it is anyone with the TPM, or whoever satisfies the policy.
    static func attributes(policyDigest: [UInt8]) -> ObjectAttributes {
        policyDigest.isEmpty ? [.noDA, .userWithAuth] : [.noDA]
    }

    var encoded: [UInt8] {
        TPMWriter.bytes { writer in
            writer.integer(ImportSeal.version)
            writer.integer(ImportSeal.style)
            writer.append(publicArea.encodedSized)
            writer.sized(duplicate)
            writer.sized(encryptedSeed)
        }
    }

    /// Parses a seal; every part has to have the form in which it is made here, so that a TPM is asked about nothing else.
    ///
    /// - Throws: `malformed`, `unsupported`.
    init(_ bytes: [UInt8]) throws(TPMFormatError) {
        guard bytes.count <= ImportSeal.limit else { throw .seal("it has \(bytes.count) bytes") }
        var reader = TPMReader(bytes, "tpm import seal")
        let version = try reader.uint8()
        guard version == ImportSeal.version else {
            throw TPMFormatError(
                .unsupported, "tpm import seal: version \(version) is unknown: a newer trousseau made it")
        }
        let style = try reader.uint8()
        guard style == ImportSeal.style else {
            throw TPMFormatError(.unsupported, "tpm import seal: style \(style) is unknown: a newer trousseau made it")
        }
        publicArea = try TPMPublic(reader.sized("the public area", atMost: TPMPublic.limit))
        duplicate = try reader.sized("the duplicate", atMost: ImportSeal.limit)
        encryptedSeed = try reader.sized("the seed", atMost: ImportSeal.limit)
        try reader.finish()
        try check()
    }

    private func check() throws(TPMFormatError) {
        guard case .keyedHash = publicArea.key, publicArea.nameAlgorithm == .sha256,
            publicArea.attributes == ImportSeal.attributes(policyDigest: publicArea.authPolicy)
        else { throw .seal("its object is not a sealed KEK") }
        var reader = TPMReader(duplicate, "tpm import seal")
        let integrity = try reader.sized("the integrity", atMost: 64)
        guard HashAlgorithm.allCases.contains(where: { $0.size == integrity.count }),
            reader.remaining == SealedSensitive.size(of: ImportSeal.secretSize)
        else { throw .seal("its duplicate is not that of a KEK") }
        guard ImportSeed.isPlausible(encryptedSeed) else { throw .seal("its seed is neither a point nor of RSA") }
    }
}

extension TPMFormatError {
    fileprivate static func seal(_ what: String) -> TPMFormatError {
        TPMFormatError(.malformed, "tpm import seal: \(what)")
    }
}
