internal import CTSS2
internal import Keyring

extension ESYSContext {
    /// The present values, by answers that only the TPM with the storage key can have made: whoever is on the bus must
    /// not choose what a seal is bound to. Two commands, and one for each eight PCRs.
    ///
    /// - Throws: `configuration` when the SHA-256 bank is not allocated.
    func readPCRs(_ selection: PCRSelection, authenticatedBy key: StorageKey) throws(TPMError) -> PCRValues {
        try withHandle(of: key) { (parent) throws(TPMError) in
            try withSession(.hmac, saltedTo: parent) { (session) throws(TPMError) in
                try readPCRs(selection, session)
            }
        }
    }

    /// The present values, as somebody answers in the TPM's name: for messages. One command for each eight PCRs.
    ///
    /// - Throws: `configuration` when the SHA-256 bank is not allocated.
    func readPCRs(_ selection: PCRSelection, _ session: SaltedSession? = nil) throws(TPMError) -> PCRValues {
        for _ in 0..<PolicySession.patience {
            if let values = try readPCRsOnce(selection, session) { return values }
        }
        throw TPMError(.policy, "the values of \(selection) change while they are read", errorClass: .retry)
    }

    /// Nil when a PCR was changed between two commands.
    private func readPCRsOnce(
        _ selection: PCRSelection, _ session: SaltedSession?
    ) throws(TPMError) -> PCRValues? {
        var values: [Int: [UInt8]] = [:]
        var wanted = selection
        var counter: UInt32?
        while true {
            var input = try Marshalling.selection(wanted)
            var update: UInt32 = 0
            var answered: UnsafeMutablePointer<TPML_PCR_SELECTION>?
            var digests: UnsafeMutablePointer<TPML_DIGEST>?
            defer {
                Esys_Free(answered)
                Esys_Free(digests)
            }
            let handle = session?.handle ?? Handle.none
            let read: (OpaquePointer?) -> TSS2_RC = {
                Esys_PCR_Read($0, handle, Handle.none, Handle.none, &input, &update, &answered, &digests)
            }
            if let session {
                try session.call(.pcrRead, [.audits, .goesOn], read)
            } else {
                try call(.pcrRead, read)
            }
            guard let answered, let digests else {
                throw TPMError(.call, "TPM2_PCR_Read: no answer", errorClass: .retry)
            }
            guard counter == nil || counter == update else { return nil }
            counter = update
            let mask = Marshalling.mask(of: answered) & wanted.mask
            guard let part = PCRSelection(mask: mask) else {
                throw TPMError(
                    .configuration, "the TPM does not keep \(wanted): the bank is not allocated",
                    hint: "switch the SHA-256 bank on in the firmware's settings, or with tpm2_pcrallocate sha256:all")
            }
            let found = Marshalling.digests(digests)
            guard found.count == part.indices.count else {
                throw TPMError(.call, "TPM2_PCR_Read: \(found.count) values", errorClass: .retry)
            }
            for (index, value) in zip(part.indices, found) { values[index] = value }
            guard let rest = PCRSelection(mask: wanted.mask & ~mask) else { break }
            wanted = rest
        }
        guard let read = PCRValues(selection, selection.indices.compactMap { values[$0] }) else {
            throw TPMError(.call, "TPM2_PCR_Read: values that are not of SHA-256", errorClass: .retry)
        }
        return read
    }
}
