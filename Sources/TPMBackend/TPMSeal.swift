internal import Crypto
internal import Keyring

/// What a local seal holds, checked as far as it can be without the TPM.
struct TPMSeal: Sendable, Hashable {
    let object: SealedObject

    /// - Throws: `seal` unless it is exactly an object that this version makes for such a recipient.
    init(local bytes: [UInt8], _ description: RecipientDescription) throws(TPMError) {
        guard let pem = TSS2PEM(bytes) else { throw TPMSeal.error("it does not parse") }
        let area = pem.object.publicArea
        guard case .keyedHash(let unique) = area.key,
            area == TPMSeal.template(description, unique: unique), pem.emptyAuth != description.wantsPIN
        else { throw TPMSeal.error("its object is not the one that was made for this recipient") }
        object = pem.object
    }

    /// The public area of an object for a recipient: fixed to this TPM and this parent. It is exempt from the protection
    /// against guessing, so that an unclean power loss (which counts as a guess) or a lockout does not lock it; only
    /// people's PINs need that protection.
    static func template(_ description: RecipientDescription, unique: [UInt8]? = nil) -> TPMPublic {
        var attributes: ObjectAttributes = [.fixedTPM, .fixedParent]
        attributes.insert(description.policyDigest.isEmpty ? .userWithAuth : .adminWithPolicy)
        if !description.wantsPIN { attributes.insert(.noDA) }
        return TPMPublic(
            nameAlgorithm: .sha256, attributes: attributes, authPolicy: description.policyDigest,
            key: .keyedHash(unique: unique ?? []))
    }

    static func error(_ message: String) -> TPMError {
        TPMError(.seal, "tpm seal: \(message)", errorClass: .permanent)
    }

    /// "Does not open" and "opens to something else" are one error: nobody learns which.
    static let doesNotOpen = error("it does not open with this TPM")
}
