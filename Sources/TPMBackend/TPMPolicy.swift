internal import Keyring

/// What the TPM's state has to be for a seal to open.
public enum TPMPolicy: Sendable, Hashable {
    /// Nothing: the seal opens on this TPM, whatever was booted. A stolen disk is useless all the same.
    case none
}

extension TPMPolicy {
    /// The ways in which this node's seals open; the first one is that of the shared seal, too.
    func targets(_ context: ESYSContext) throws(TPMError) -> [PolicyTarget] {
        switch self {
        case .none: [.none]
        }
    }

    /// What a description's parameters ask for.
    ///
    /// - Throws: `seal` when this version does not know them.
    static func requirement(_ parameters: [UInt8]) throws(TPMError) -> any PolicyRequirement {
        throw TPMError(
            .seal, "tpm seal: its policy is of a kind that this version does not know",
            hint: "a newer trousseau made it", errorClass: .permanent)
    }
}
