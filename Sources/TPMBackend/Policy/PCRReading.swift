internal import CTSS2
internal import Keyring

extension ESYSContext {
    /// The present values. One command for each eight PCRs.
    ///
    /// - Throws: `configuration` when the SHA-256 bank is not allocated.
    func readPCRs(_ selection: PCRSelection) throws(TPMError) -> PCRValues {
        for _ in 0..<PolicySession.patience {
            if let values = try readPCRsOnce(selection) { return values }
        }
        throw TPMError(.policy, "the values of \(selection) change while they are read", errorClass: .retry)
    }

    /// Nil when a PCR was changed between two commands.
    private func readPCRsOnce(_ selection: PCRSelection) throws(TPMError) -> PCRValues? {
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
            try call(.pcrRead) {
                Esys_PCR_Read($0, Handle.none, Handle.none, Handle.none, &input, &update, &answered, &digests)
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
