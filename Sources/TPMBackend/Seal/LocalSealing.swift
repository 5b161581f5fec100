internal import Crypto
internal import Keyring

/// Makes seals that stay on this node: objects that the TPM makes and that are fixed to it.
enum LocalSealing {
    /// Two commands.
    static func seal(
        _ kek: KEK, to description: RecipientDescription, pin: ObjectPIN?, under key: StorageKey,
        _ context: ESYSContext
    ) throws(TPMError) -> [UInt8] {
        let template = TPMSeal.template(description)
        let object = try kek.withUnsafeBytes { (bytes) throws(TPMError) in
            guard description.wantsPIN else { return try context.create(bytes, template: template, under: key) }
            guard let pin else {
                throw TPMError(
                    .pinSource, "this recipient wants a PIN, and no pinSource is configured",
                    hint: "name the file that holds it with pinSource")
            }
            let auth = try pin.read()
            return try auth.secret.withUnsafeBytes { (auth) throws(TPMError) in
                try context.create(bytes, auth: auth, template: template, under: key)
            }
        }
        let bytes = TSS2PEM(object, emptyAuth: !description.wantsPIN).encoded
        // What the TPM answered has to be what was asked for.
        _ = try TPMSeal(local: bytes, description)
        return bytes
    }
}

/// Makes seals for the shared record: in software, to the storage root key's public half.
enum SharedSealing {
    static func seal(
        _ kek: KEK, to description: RecipientDescription, under key: StorageKey
    ) throws(TPMError) -> [UInt8] {
        do {
            return try kek.withUnsafeBytes { (bytes) throws(TPMFormatError) in
                try ImportSeal.make(secret: bytes, parent: key.area, policyDigest: description.policyDigest).encoded
            }
        } catch {
            throw TPMError(.local, "a seal to the storage root key: \(error)")
        }
    }
}

/// A seal of either kind that could be read.
enum ParsedSeal: Sendable {
    case local(TPMSeal)
    case shared(ImportSeal)

    /// - Throws: `seal`.
    init(_ bytes: [UInt8], _ description: RecipientDescription) throws(TPMError) {
        switch description.scope {
        case .local: self = .local(try TPMSeal(local: bytes, description))
        case .shared:
            do throws(TPMFormatError) {
                let seal = try ImportSeal(bytes)
                guard seal.publicArea.authPolicy == description.policyDigest else {
                    throw TPMFormatError(.malformed, "its policy is not the recipient's")
                }
                self = .shared(seal)
            } catch {
                throw TPMSeal.error("\(error)")
            }
        }
    }

    func open(_ opening: SealOpening) throws(TPMError) -> SecretBytes {
        switch self {
        case .local(let seal): try opening.open(seal)
        case .shared(let seal): try opening.open(seal)
        }
    }
}
