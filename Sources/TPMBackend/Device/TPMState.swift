internal import CTSS2
internal import Keyring

/// What a TPM says about itself (TPM_PT_VAR, part 2, 6.13).
struct TPMState: Sendable, Equatable {
    /// TPMA_PERMANENT.
    let permanent: UInt32
    /// Wrong guesses that count now, and how many lock the TPM.
    let lockoutCounter: UInt32
    let maximumFailures: UInt32
    /// Seconds after which one wrong guess counts no more; 0: none counts at all.
    let recoveryInterval: UInt32

    /// The owner hierarchy has an authorization value.
    var ownerAuthIsSet: Bool { permanent & 1 != 0 }
    /// Objects that are protected against guessing are refused.
    var isLockedOut: Bool { permanent & 1 << 9 != 0 }

    var text: String { "\(lockoutCounter) of \(maximumFailures) wrong guesses" }

    /// - Parameter key: nil when it is not known.
    func findings(under key: StorageKey?) -> [Finding] {
        var findings: [Finding] = []
        if isLockedOut {
            let what = key?.countsGuesses == true ? "no seal opens" : "seals with a PIN do not open"
            findings.append(
                Finding(
                    .warning, "lockout", "the TPM is locked against guessing: \(what)",
                    hint: "wait, or clear the lockout with tpm2_dictionarylockout --clear-lockout"))
        }
        if ownerAuthIsSet {
            findings.append(
                Finding(
                    .ok, "owner hierarchy", "it has an authorization value; only making a storage root key needs it"))
        }
        return findings
    }
}

extension ESYSContext {
    /// One command.
    func readState() throws(TPMError) -> TPMState {
        let first: UInt32 = 0x200
        var more: TPMI_YES_NO = 0
        var answer: UnsafeMutablePointer<TPMS_CAPABILITY_DATA>?
        defer { Esys_Free(answer) }
        // TPM_CAP_TPM_PROPERTIES
        try call(.getCapability) {
            Esys_GetCapability($0, Handle.none, Handle.none, Handle.none, 6, first, 18, &more, &answer)
        }
        guard let answer else { throw TPMError(.call, "TPM2_GetCapability: no answer", errorClass: .retry) }
        var properties: [UInt32: UInt32] = [:]
        withUnsafeBytes(of: &answer.pointee.data.tpmProperties.tpmProperty) { bytes in
            let list = bytes.bindMemory(to: TPMS_TAGGED_PROPERTY.self)
            for item in list.prefix(Int(answer.pointee.data.tpmProperties.count)) {
                properties[item.property] = item.value
            }
        }
        return TPMState(
            permanent: properties[first] ?? 0, lockoutCounter: properties[0x20E] ?? 0,
            maximumFailures: properties[0x20F] ?? 0, recoveryInterval: properties[0x210] ?? 0)
    }
}
