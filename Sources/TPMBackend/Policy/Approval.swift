internal import Crypto

/// A signature that approves the state that the TPM is in, checked.
struct Approval: Sendable, Hashable {
    /// The approved policy digest.
    let policy: [UInt8]
    let signature: PolicySignature

    /// Looks for it.
    ///
    /// - Parameters:
    ///   - policy: what TPM2_PolicyGetDigest says after TPM2_PolicyPCR, or `PolicyDigest` of read values.
    ///   - files: in order; the first signature that verifies counts.
    /// - Throws: `state`, saying what the files hold instead.
    init(of policy: [UInt8], _ selection: PCRSelection, by key: SigningKey, in files: [PCRSignatureFile])
        throws(PolicyError)
    {
        let entries = files.flatMap(\.entries)
        for entry in entries
        where entry.selection == selection && entry.policy == policy && entry.fingerprint == key.fingerprint {
            guard let signature = try key.verified(entry.signature, of: policy) else { continue }
            self.policy = policy
            self.signature = signature
            return
        }
        throw Approval.refusal(policy, selection, key, entries, files.map(\.path).joined(separator: ", "))
    }

    private static func refusal(
        _ policy: [UInt8], _ selection: PCRSelection, _ key: SigningKey, _ entries: [PCRSignatureFile.Entry],
        _ paths: String
    ) -> PolicyError {
        let pcrs = "PCR \(PCRSelection.list(selection.indices))"
        let byKey = entries.filter { $0.fingerprint == key.fingerprint }
        guard !byKey.isEmpty else {
            guard !entries.isEmpty else {
                return PolicyError(
                    .state, "\(paths): no signature for the SHA-256 bank",
                    hint: "sign the image with --bank=sha256, too")
            }
            let others = Set(entries.map { Hex.encode($0.fingerprint.prefix(8)) + "…" }).sorted()
            return PolicyError(
                .state,
                "\(paths): no signature by the key of this policy, \(Hex.encode(key.fingerprint.prefix(8)))…, only by "
                    + others.joined(separator: ", "),
                hint: "the booted image is signed with another key: boot one that is signed with this one")
        }
        let ofSelection = byKey.filter { $0.selection == selection }
        guard !ofSelection.isEmpty else {
            let others = Set(byKey.map { PCRSelection.list($0.selection.indices) }).sorted().joined(separator: ", ")
            return PolicyError(
                .state, "\(paths): signatures for PCR \(others), none for \(pcrs)",
                hint: "sign the image for these PCRs, or put the signed ones into the configuration and reseal")
        }
        guard ofSelection.allSatisfy({ $0.policy != policy }) else {
            return PolicyError(
                .state, "\(paths): the signature for the present value of \(pcrs) is not by the key that it names",
                hint: "the file was changed: install it again from the image")
        }
        let count = ofSelection.count == 1 ? "1 signature" : "\(ofSelection.count) signatures"
        return PolicyError(
            .state, "\(paths): \(count) for \(pcrs), none for its present value",
            hint: "the file is not of the image that was booted, or it is signed for an early phase of the boot only "
                + "(enter-initrd), which is over when this plugin runs: sign for "
                + "enter-initrd:leave-initrd:sysinit:ready, too (systemd-measure sign --phase, ukify --phases)")
    }
}
