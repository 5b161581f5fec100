internal import CTSS2
internal import Crypto
internal import Glibc
internal import Keyring

/// A sealed object as TPM2_Create gives it and TPM2_Load takes it.
struct SealedObject: Sendable, Hashable {
    let publicArea: TPMPublic
    /// A TPM2B_PRIVATE: the secret, encrypted and authenticated by the parent's TPM, with its size before it.
    let privateArea: [UInt8]
}

extension ESYSContext {
    /// Seals `secret` (at most 128 bytes) into a new object under the storage key. The command's parameters are
    /// encrypted. Two commands.
    ///
    /// - Parameter template: a keyed-hash object whose `unique` does not matter.
    func create(
        _ secret: UnsafeRawBufferPointer, auth: UnsafeRawBufferPointer? = nil, template: TPMPublic,
        under key: StorageKey
    ) throws(TPMError) -> SealedObject {
        let sensitive = try ESYSContext.sensitive(secret, auth: auth)
        let area = try Marshalling.publicArea(template)
        // The library has copied the secret into its context and its buffer.
        defer { wipeInputs() }
        return try withHandle(of: key) { (parent) throws(TPMError) in
            try withSession(.hmac, saltedTo: parent) { (session) throws(TPMError) in
                var outside = TPM2B_DATA()
                var selection = TPML_PCR_SELECTION()
                var privateArea: UnsafeMutablePointer<TPM2B_PRIVATE>?
                var publicArea: UnsafeMutablePointer<TPM2B_PUBLIC>?
                defer {
                    Esys_Free(privateArea)
                    Esys_Free(publicArea)
                }
                try sensitive.withUnsafeBytes { (bytes) throws(TPMError) in
                    let sensitive = bytes.assumingMemoryBound(to: TPM2B_SENSITIVE_CREATE.self).baseAddress
                    try withUnsafePointer(to: area) { (area) throws(TPMError) in
                        try session.call(.create, [.encryptsCommand, .encryptsAnswer]) {
                            Esys_Create(
                                $0, parent, session.handle, Handle.none, Handle.none, sensitive, area, &outside,
                                &selection, &privateArea, &publicArea, nil, nil, nil)
                        }
                    }
                }
                guard let privateArea, let publicArea else {
                    throw TPMError(.call, "TPM2_Create: no answer", errorClass: .retry)
                }
                return SealedObject(
                    publicArea: try Marshalling.publicArea(publicArea),
                    privateArea: try Marshalling.privateArea(privateArea))
            }
        }
    }

    /// Loads the object, lends it to `body`, and flushes it on every path. Two commands.
    func withLoaded<R: ~Copyable>(
        _ object: SealedObject, under parent: ESYS_TR, _ session: SaltedSession,
        _ body: (ESYS_TR) throws(TPMError) -> R
    ) throws(TPMError) -> R {
        let privateArea = try Marshalling.privateArea(object.privateArea)
        let publicArea = try Marshalling.publicArea(object.publicArea)
        var handle: ESYS_TR = Handle.none
        try session.call(.load, [.encryptsCommand, .encryptsAnswer, .goesOn]) { raw in
            withUnsafePointer(to: privateArea) { privateArea in
                withUnsafePointer(to: publicArea) { publicArea in
                    Esys_Load(
                        raw, parent, session.handle, Handle.none, Handle.none, privateArea, publicArea, &handle)
                }
            }
        }
        defer { flush(handle) }
        return try body(handle)
    }

    /// Takes an object that was sealed in software to the storage key; the TPM keeps nothing. One command.
    func importObject(
        _ seal: ImportSeal, under parent: ESYS_TR, _ session: SaltedSession
    ) throws(TPMError) -> SealedObject {
        var inner = TPM2B_DATA()
        var symmetric = TPMT_SYM_DEF_OBJECT()
        symmetric.algorithm = TPMAlgorithm.null
        let area = try Marshalling.publicArea(seal.publicArea)
        let duplicate = try Marshalling.privateArea(TPMWriter.bytes { $0.sized(seal.duplicate) })
        var seed = TPM2B_ENCRYPTED_SECRET()
        let capacity = MemoryLayout.size(ofValue: seed.secret)
        guard seal.encryptedSeed.count <= capacity else { throw TPMSeal.error("its seed is too long") }
        seed.size = UInt16(seal.encryptedSeed.count)
        withUnsafeMutableBytes(of: &seed.secret) { $0.copyBytes(from: seal.encryptedSeed) }
        var privateArea: UnsafeMutablePointer<TPM2B_PRIVATE>?
        defer { Esys_Free(privateArea) }
        try session.call(.importObject, [.encryptsCommand, .encryptsAnswer, .goesOn]) { raw in
            withUnsafePointer(to: area) { area in
                withUnsafePointer(to: duplicate) { duplicate in
                    Esys_Import(
                        raw, parent, session.handle, Handle.none, Handle.none, &inner, area, duplicate, &seed,
                        &symmetric, &privateArea)
                }
            }
        }
        guard let privateArea else { throw TPMError(.call, "TPM2_Import: no answer", errorClass: .retry) }
        return SealedObject(publicArea: seal.publicArea, privateArea: try Marshalling.privateArea(privateArea))
    }

    /// The auth value that proves the right to use a loaded object; sent to nobody. The library keeps it until the object
    /// is flushed, and in each session that proved it, so it is replaced with zeros before (`unseal`).
    func setAuth(_ pin: borrowing PIN, of object: ESYS_TR) throws(TPMError) {
        var auth = TPM2B_AUTH()
        defer { withUnsafeMutableBytes(of: &auth) { SecretBytes.wipe($0) } }
        pin.secret.withUnsafeBytes { bytes in
            auth.size = UInt16(min(bytes.count, ObjectPIN.limit))
            withUnsafeMutableBytes(of: &auth.buffer) { $0.copyBytes(from: bytes.prefix(ObjectPIN.limit)) }
        }
        try call(.unseal) { Esys_TR_SetAuth($0, object, &auth) }
    }

    /// Lets the library forget an auth value.
    func clearAuth(of object: ESYS_TR) {
        var zeros = TPM2B_AUTH()
        zeros.size = UInt16(ObjectPIN.limit)
        try? call(.unseal) { Esys_TR_SetAuth($0, object, &zeros) }
    }

    /// Lets the library overwrite an auth value and the copies of it in the sessions of TPM2_Unseal: preparing that command
    /// again with zeros computes them anew. Two sessions that encrypt the answer are then refused before anything is sent.
    private func forgetAuth(of object: ESYS_TR, _ session: SaltedSession, _ policy: SaltedSession?) {
        clearAuth(of: object)
        let first = policy ?? session
        guard (try? first.set(.encryptsAnswer)) != nil, (try? session.set(.encryptsAnswer)) != nil else { return }
        try? call(.unseal) { Esys_Unseal_Async($0, object, first.handle, session.handle, Handle.none) }
    }

    /// The secret of a loaded object. One command, which ends the sessions.
    ///
    /// - Parameters:
    ///   - policy: the session that fulfils the object's policy; nil when the auth value is enough.
    ///   - hasAuth: whether an auth value was set, which no copy of it may outlive.
    func unseal(
        _ object: ESYS_TR, _ session: SaltedSession, policy: SaltedSession? = nil, hasAuth: Bool = false
    ) throws(TPMError) -> SecretBytes {
        // The library has a copy in each session that proved it, which it would free as it is.
        defer { if hasAuth { forgetAuth(of: object, session, policy) } }
        var data: UnsafeMutablePointer<TPM2B_SENSITIVE_DATA>?
        defer {
            if let data {
                SecretBytes.wipe(
                    UnsafeMutableRawBufferPointer(start: data, count: MemoryLayout<TPM2B_SENSITIVE_DATA>.size))
                Esys_Free(data)
            }
            wipeBuffers()
        }
        try session.call(.unseal, [.encryptsAnswer], endingToo: policy) {
            guard let policy else {
                return Esys_Unseal($0, object, session.handle, Handle.none, Handle.none, &data)
            }
            return Esys_Unseal($0, object, policy.handle, session.handle, Handle.none, &data)
        }
        guard let data else { throw TPMError(.call, "TPM2_Unseal: no answer", errorClass: .retry) }
        do {
            return try withUnsafeBytes(of: &data.pointee.buffer) { (bytes) throws(CryptoError) in
                let count = min(Int(data.pointee.size), bytes.count)
                return try SecretBytes(copying: UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
            }
        } catch {
            throw TPMError(.local, "the unsealed secret: \(error)", errorClass: .retry)
        }
    }

    /// A TPM2B_SENSITIVE_CREATE on the secure heap.
    private static func sensitive(
        _ secret: UnsafeRawBufferPointer, auth: UnsafeRawBufferPointer?
    ) throws(TPMError) -> SecretBytes {
        typealias Structure = TPM2B_SENSITIVE_CREATE
        let size = MemoryLayout<Structure>.size
        guard let data = MemoryLayout<Structure>.offset(of: \.sensitive.data.buffer),
            let dataSize = MemoryLayout<Structure>.offset(of: \.sensitive.data.size),
            let user = MemoryLayout<Structure>.offset(of: \.sensitive.userAuth.buffer),
            let userSize = MemoryLayout<Structure>.offset(of: \.sensitive.userAuth.size),
            secret.count <= MemoryLayout<TPM2B_SENSITIVE_DATA>.size - 2,
            (auth?.count ?? 0) <= MemoryLayout<TPM2B_AUTH>.size - 2
        else {
            throw TPMError(.local, "\(secret.count) bytes are too many for a sealed object", errorClass: .permanent)
        }
        do {
            return try SecretBytes(count: size) { (memory) throws(CryptoError) in
                memory.initializeMemory(as: UInt8.self, repeating: 0)
                memory.storeBytes(of: UInt16(secret.count), toByteOffset: dataSize, as: UInt16.self)
                UnsafeMutableRawBufferPointer(rebasing: memory[data...]).copyMemory(from: secret)
                guard let auth else { return }
                memory.storeBytes(of: UInt16(auth.count), toByteOffset: userSize, as: UInt16.self)
                UnsafeMutableRawBufferPointer(rebasing: memory[user...]).copyMemory(from: auth)
            }
        } catch {
            throw TPMError(.local, "a secret to seal: \(error)", errorClass: .retry)
        }
    }
}
