public import Keyring

extension TPMBackend: MeasuredBackend {
    /// One command for each policy and eight of its PCRs. The answers are for messages: nobody vouches for them.
    public func policies(of recipients: [Recipient], until: ContinuousClock.Instant) async -> [PolicyReport] {
        let mine = recipients.filter(serves).compactMap { recipient in
            (try? RecipientDescription.of(recipient)).map { (recipient: recipient, description: $0) }
        }
        var reports = mine.map { report($0.recipient, $0.description) }
        let wanted = Set(mine.map(\.description.policy)).filter { !$0.isEmpty }
        guard !wanted.isEmpty else { return reports }
        let (device, policy) = (device, configuration.policy)
        let verdicts: Result<[[UInt8]: PolicyVerdict], SealingError>
        do throws(SealingError) {
            verdicts = .success(
                try await call(until) { () throws(TPMError) in
                    try device.run { (context) throws(TPMError) in
                        var verdicts: [[UInt8]: PolicyVerdict] = [:]
                        for parameters in wanted where PolicyParameters(parameters) != nil {
                            verdicts[parameters] = try policy.requirement(parameters).verdict(context)
                        }
                        return verdicts
                    }
                })
        } catch {
            verdicts = .failure(error)
        }
        for (index, one) in mine.enumerated() where !one.description.policy.isEmpty {
            switch verdicts {
            case .success(let verdicts):
                guard let verdict = verdicts[one.description.policy] else {
                    reports[index].problem = "a newer trousseau made it"
                    continue
                }
                reports[index].isSatisfied = verdict.refusal == nil
                reports[index].differing = verdict.differing
                reports[index].problem = verdict.refusal?.message
                reports[index].hint = verdict.refusal?.hint
            case .failure(let error):
                reports[index].problem = error.message
                reports[index].hint = error.hint
            }
        }
        return reports
    }

    /// Two commands, and one for each eight PCRs. Only for a literal policy, whose PCRs each text has to name.
    ///
    /// - Parameter states: as `LiteralPolicy` takes them; PCRs without a value keep the present one.
    /// - Throws: `configuration`, `notEnrolled`.
    public func localRecipients(
        expecting states: [String], until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        let policy: LiteralPolicy
        do throws(TPMError) {
            policy = try LiteralPolicy(toCome: states)
            try policy.checkSelections(against: configuration.policy)
        } catch {
            throw error.asRequest
        }
        do throws(SealingError) {
            return try await localRecipients(by: .literal(policy), until: until)
        } catch {
            throw (error.cause as? TPMError)?.asRequest ?? error
        }
    }

    /// Of the storage root key.
    public var notices: [String] {
        guard let key = try? enrolment.pinned(), key.countsGuesses else { return [] }
        return ["\(StorageKey.guessing); \(StorageKey.otherRecipient)"]
    }

    /// How many answers were not made by the TPM to which the session's key was encrypted.
    public var alarms: UInt64 { device.alarms }

    private func report(_ recipient: Recipient, _ description: RecipientDescription) -> PolicyReport {
        let parameters = PolicyParameters(description.policy)
        let kind: PolicyReport.Kind =
            switch parameters {
            case .signed?: .signed
            case .literal?: .literal
            case nil: description.policyDigest.isEmpty ? .none : .unknown
            }
        let isLocal = if case .local = description.scope { true } else { false }
        return PolicyReport(
            backend: name, recipientID: recipient.id, isLocal: isLocal, kind: kind,
            bank: parameters == nil ? nil : PCRSelection.bank, pcrs: parameters?.selection.indices ?? [])
    }
}

extension TPMError {
    /// For states to come: what cannot be right in them is the request's fault, and says nothing about the TPM.
    fileprivate var asRequest: SealingError {
        guard code == .configuration else { return sealingError }
        return SealingError(.permanent, message, hint: hint, cause: self)
    }
}
