internal import Keyring

/// A seal opens while the TPM's PCRs have given values: those of the moment when the seal is made, and others that are
/// known to come.
public struct LiteralPolicy: Sendable, Hashable {
    /// At least one; the first is that of the seal in the shared record.
    let expectations: [PCRExpectation]

    /// A policy.
    ///
    /// - Parameter pcrs: one text for each state that a seal is made for, of the SHA-256 bank: `sha256:7+11` for the
    ///   present values, `sha256:7+11=<64 digits>` where one is known before the update that brings it.
    /// - Throws: `configuration`.
    public init(pcrs: [String]) throws(TPMError) {
        do throws(PolicyError) {
            var expectations: [PCRExpectation] = []
            for text in pcrs { expectations.append(try PCRExpectation(text)) }
            guard !expectations.isEmpty else {
                throw PolicyError(.configuration, "no PCRs are named", hint: "such as sha256:7+11")
            }
            self.expectations = expectations
        } catch {
            throw TPMError(error)
        }
    }

    /// States that are still to come, as `trousseau reseal --pcrs` names them.
    ///
    /// - Parameter states: as above; each has a value for one PCR at least.
    /// - Throws: `configuration`.
    public init(toCome states: [String]) throws(TPMError) {
        try self.init(pcrs: states)
        guard expectations.count <= LiteralPolicy.maximumStates else {
            throw TPMError(
                .configuration,
                "\(expectations.count) states to come, and no more than \(LiteralPolicy.maximumStates) "
                    + "can be named at once")
        }
        for expectation in expectations where expectation.given.isEmpty {
            throw TPMError(
                .configuration, "PCRs \"\(expectation)\": no value is given, so that it is no state to come",
                hint: "such as \(PCRSelection.bank):7+11=<64 hex digits> for a new value of PCR 11 while 7 stays")
        }
    }

    /// Each is a seal of its own.
    private static let maximumStates = 8

    /// A state to come has to be as closely described as the states that the configuration lets open: no PCR is left out
    /// by mistake, and what is sealed now is what the configuration asks for when the state has come.
    ///
    /// - Throws: `configuration`.
    func checkSelections(against configured: TPMPolicy) throws(TPMError) {
        guard case .literal(let policy) = configured else {
            throw TPMError(
                .configuration, "there is no literal policy (policy.pcrs), so that no seal is bound to values of PCRs",
                hint: "with a signed policy sign the state to come; without a policy nothing has to be done")
        }
        let selections = policy.expectations.map(\.selection)
        for expectation in expectations where !selections.contains(expectation.selection) {
            let wanted = Set(selections.map(\.description)).sorted().joined(separator: " or ")
            throw TPMError(
                .configuration, "PCRs \"\(expectation)\": the policy is over \(wanted)",
                hint: "name all of its PCRs, those that change with their new values")
        }
    }

    /// One for each state, each only once.
    func targets(_ context: ESYSContext, _ key: StorageKey) throws(TPMError) -> [PolicyTarget] {
        let all = expectations.reduce(0) { $0 | $1.selection.mask }
        guard let union = PCRSelection(mask: all) else { return [] }
        let current = try context.readPCRs(union, authenticatedBy: key)
        var targets: [PolicyTarget] = []
        do throws(PolicyError) {
            for expectation in expectations {
                let values = try expectation.values(current.subset(expectation.selection))
                var digest = PolicyDigest()
                try digest.pcrs(values)
                let parameters = PolicyParameters.literal(values.selection, marks: values.marks)
                let target = PolicyTarget(digest: digest.bytes, parameters: parameters.encoded)
                if !targets.contains(target) { targets.append(target) }
            }
        } catch {
            throw TPMError(error)
        }
        return targets
    }
}

/// That the PCRs have the values of which the beginnings are known; the policy's digest decides.
struct LiteralRequirement: PolicyRequirement {
    let selection: PCRSelection
    let marks: [[UInt8]]

    /// One command.
    func satisfy(_ session: PolicySession) throws(TPMError) {
        try session.pcrs(selection)
    }

    func mismatch(_ session: PolicySession) -> TPMError {
        do throws(TPMError) {
            return refusal(try session.context.readPCRs(selection))
        } catch {
            return error
        }
    }

    /// Whether the present values are the expected ones, as far as the marks tell: one command for each eight PCRs.
    func verdict(_ context: ESYSContext) throws(TPMError) -> PolicyVerdict {
        let current = try context.readPCRs(selection)
        let differing = current.differing(from: marks)
        return PolicyVerdict(
            text: "\(selection): satisfied now", refusal: differing.isEmpty ? nil : refusal(current),
            differing: differing)
    }

    private func refusal(_ current: PCRValues) -> TPMError {
        let differing = current.differing(from: marks)
        let what =
            differing.isEmpty
            ? "the values of \(selection) are not those that this seal wants"
            : "PCR \(PCRSelection.list(differing)) of \(selection) has another value than this seal wants"
        return TPMError(
            .policy, what,
            hint: "boot what it was sealed for, or let another recipient open the keyring and run trousseau reseal; "
                + "before the next update, seal to the values that it brings",
            errorClass: .permanent)
    }
}
