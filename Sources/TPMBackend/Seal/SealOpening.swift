internal import Crypto
internal import Keyring

/// Opens objects under a storage key.
struct SealOpening {
    let context: ESYSContext
    let key: StorageKey
    /// Whom the seal is to.
    let description: RecipientDescription
    /// The configuration's, for the places of a signed policy's files.
    let policy: TPMPolicy
    /// The PIN's source, where one is configured.
    let pin: ObjectPIN?
    /// How long another process that shows a PIN is waited for.
    let until: ContinuousClock.Instant

    /// Four commands; with a policy some more.
    func open(_ seal: TPMSeal) throws(TPMError) -> SecretBytes {
        try withSession { (parent, session) throws(TPMError) in try open(seal.object, parent, session) }
    }

    /// Five commands; with a policy some more.
    func open(_ seal: ImportSeal) throws(TPMError) -> SecretBytes {
        try withSession { (parent, session) throws(TPMError) in
            try open(context.importObject(seal, under: parent, session), parent, session)
        }
    }

    private func withSession(
        _ body: (UInt32, SaltedSession) throws(TPMError) -> SecretBytes
    ) throws(TPMError) -> SecretBytes {
        try context.withHandle(of: key) { (parent) throws(TPMError) in
            try context.withSession(.hmac, saltedTo: parent) { (session) throws(TPMError) in
                try body(parent, session)
            }
        }
    }

    private func open(
        _ object: SealedObject, _ parent: UInt32, _ session: SaltedSession
    ) throws(TPMError) -> SecretBytes {
        try context.withLoaded(object, under: parent, session) { (loaded) throws(TPMError) in
            guard description.wantsPIN else {
                do throws(TPMError) {
                    return try unseal(loaded, parent, session)
                } catch  where error.code == .pinBlocked {
                    // There is no PIN that could be wrong: the proof of knowing an empty one was changed on its way.
                    throw .interference(
                        .unseal, error.returnCode, "the command was changed on its way, or the object is not ours",
                        errorClass: .permanent)
                }
            }
            guard let pin else {
                throw TPMError(
                    .pinSource, "this seal wants a PIN, and no pinSource is configured",
                    hint: "name the file that holds it with pinSource")
            }
            return try pin.open(under: key, context, until: until) { (pin) throws(TPMError) in
                try context.setAuth(pin, of: loaded)
                // Where no session came to see it.
                defer { context.clearAuth(of: loaded) }
                return try unseal(loaded, parent, session)
            }
        }
    }

    private func unseal(
        _ loaded: UInt32, _ parent: UInt32, _ session: SaltedSession
    ) throws(TPMError) -> SecretBytes {
        let hasAuth = description.wantsPIN
        guard !description.policyDigest.isEmpty else {
            return try context.unseal(loaded, session, hasAuth: hasAuth)
        }
        let requirement = try policy.requirement(description.policy)
        return try context.withSession(.policy, saltedTo: parent) { (policy) throws(TPMError) in
            try PolicySession(context: context, session: policy).run(
                requirement, wantsPIN: description.wantsPIN, digest: description.policyDigest
            ) { (policy) throws(TPMError) in
                try context.unseal(loaded, session, policy: policy, hasAuth: hasAuth)
            }
        }
    }
}
