internal import CTSS2

extension PolicySession {
    /// TPM2_PolicyPCR with the present values.
    func pcrs(_ selection: PCRSelection) throws(TPMError) {
        var selection = try Marshalling.selection(selection)
        var digest = TPM2B_DIGEST()
        try call { Esys_PolicyPCR($0, $1, Handle.none, Handle.none, Handle.none, &digest, &selection) }
    }

    /// TPM2_PolicyAuthorize for what was shown so far. Four commands.
    ///
    /// - Parameter hash: SHA-256 of the approved policy, which is what was signed.
    func authorize(_ approval: Approval, _ hash: [UInt8], by key: SigningKey) throws(TPMError) {
        var signature = try Marshalling.signature(approval.signature)
        var signed = try Marshalling.digest(hash)
        var policy = try Marshalling.digest(approval.policy)
        var name = try Marshalling.name(key.name)
        var reference = TPM2B_DIGEST()
        var ticket: UnsafeMutablePointer<TPMT_TK_VERIFIED>?
        defer { Esys_Free(ticket) }
        try context.withExternal(key.publicArea) { (handle) throws(TPMError) in
            try context.call(.verifySignature) {
                Esys_VerifySignature(
                    $0, handle, Handle.none, Handle.none, Handle.none, &signed, &signature, &ticket)
            }
        }
        try call {
            Esys_PolicyAuthorize(
                $0, $1, Handle.none, Handle.none, Handle.none, &policy, &reference, &name, ticket)
        }
    }
}

extension ESYSContext {
    /// Loads a public key, lends it to `body`, and flushes it on every path. Two commands.
    fileprivate func withExternal<R>(
        _ key: TPMPublic, _ body: (ESYS_TR) throws(TPMError) -> R
    ) throws(TPMError) -> R {
        var area = try Marshalling.publicArea(key)
        var handle: ESYS_TR = Handle.none
        // In the owner hierarchy: a ticket of the null hierarchy proves nothing.
        try call(.loadExternal) {
            Esys_LoadExternal($0, Handle.none, Handle.none, Handle.none, nil, &area, Handle.owner, &handle)
        }
        defer { flush(handle) }
        return try body(handle)
    }
}
