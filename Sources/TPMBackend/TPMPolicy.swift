internal import Keyring

/// What the TPM's state has to be for a seal to open.
public enum TPMPolicy: Sendable, Hashable {
    /// Nothing: the seal opens on this TPM, whatever was booted. A stolen disk is useless all the same.
    case none
    /// Whatever the holder of a key has signed; an update needs a new signature and no new seal.
    case signed(SignedPolicy)
    /// Given values of some PCRs; every update of what they measure needs a new seal, made before it.
    case literal(LiteralPolicy)
}

extension TPMPolicy {
    /// The ways in which this node's seals open; the first one is that of the shared seal, too. Two commands,
    /// and one for each eight PCRs; none without a policy.
    ///
    /// - Throws: `configuration` when the PCRs say nothing on this machine, or the key is missing.
    func targets(_ context: ESYSContext, _ key: StorageKey) throws(TPMError) -> [PolicyTarget] {
        switch self {
        case .none: [.none]
        case .signed(let policy): [try policy.target(context, key)]
        case .literal(let policy): try policy.targets(context, key)
        }
    }

    /// What a description's parameters ask for. A seal opens by what it was made for, whatever the configuration says
    /// now; that only tells where the files of a signed policy are.
    ///
    /// - Throws: `seal` when this version does not know them.
    func requirement(_ parameters: [UInt8]) throws(TPMError) -> any PolicyRequirement {
        switch PolicyParameters(parameters) {
        case .signed(let selection, let name)?:
            return SignedRequirement(selection: selection, keyName: name, files: files)
        case .literal(let selection, let marks)?:
            return LiteralRequirement(selection: selection, marks: marks)
        case nil:
            throw TPMError(
                .seal, "tpm seal: its policy is of a kind that this version does not know",
                hint: "a newer trousseau made it", errorClass: .permanent)
        }
    }

    private var files: PolicyFiles {
        guard case .signed(let policy) = self else { return PolicyFiles() }
        return policy.files
    }
}
