/// Seals recovered KEKs to this node's backends, so that the next start opens them without the offline key.
enum RecoverySealing {
    /// Adds to the record whatever seals the backends do not have yet.
    ///
    /// - Parameters:
    ///   - outcomes: of the new active KEK: whom each backend seals to.
    ///   - found: the KEK's local seals that were found.
    /// - Returns: the record, the local seals that were made, and how each backend did.
    /// - Throws: `tooFewSeals` when none of them could open the KEK afterwards.
    static func run(
        _ kept: RecoveryOpening.Kept, _ chain: SealingChain, _ outcomes: [InitialSealing.Outcome],
        local found: [Seal]
    ) async throws(KeyringError) -> (record: Record, local: [Seal], reports: [SealReport]) {
        var record = kept.record
        var reports: [SealReport] = []
        var local: [Seal] = []
        for (member, outcome) in zip(chain.members.filter { !$0.unsealOnly }, outcomes) {
            for recipient in outcome.seals.map(\.recipient) {
                var report = SealReport(
                    recipientID: recipient.id, kind: recipient.kind, backend: member.backend.name,
                    state: member.backend.canUnseal ? .verified : .unverified,
                    verifiedBy: member.backend.canUnseal ? member.backend.name : nil)
                do throws(SealingError) {
                    if let seal = try await missingSeal(of: kept.trusted.kek, record, member, recipient) {
                        record = try setting(seal, record, kept.trusted.kek)
                    }
                } catch {
                    report.verifiedBy = nil
                    report.state = record.entry(for: recipient.id)?.isTombstone == true ? .tombstone : .missing
                    report.problem = "\(error)"
                }
                reports.append(report)
            }
            let missing = outcome.localRecipients.filter { one in !found.contains { $0.recipient.id == one.id } }
            let isOpened = reports.contains { $0.backend == member.backend.name && $0.state == .verified }
            let made = await member.makeLocalSeals(kept.trusted.kek, to: missing, besideAnOpenedOne: isOpened)
            local += made.made.map(\.seal)
            reports += made.made.map { SealReport($0, kind: member.backend.kind, backend: member.backend.name) }
            if let error = made.error {
                reports.append(
                    SealReport(
                        recipientID: missing.last?.id, kind: member.backend.kind, backend: member.backend.name,
                        isLocal: true, state: .missing, problem: "\(error)"))
            }
        }
        // A backend that only opens has opened it already.
        let opensHere = chain.members.contains {
            $0.backend.name == kept.openedBy && $0.backend.canUnseal && $0.backend.serves(kept.seal.recipient)
        }
        guard opensHere || reports.contains(where: { $0.state == .verified }) else {
            let problems = reports.compactMap(\.problem).joined(separator: "; ")
            let kek = "KEK \(record.identity.kekID) of generation \(record.identity.generation)"
            throw KeyringError(
                .tooFewSeals, "\(kek) could be sealed to no backend that opens it again: \(problems)",
                hint: "mend the backend and run recover again; nothing was written")
        }
        return (record, local, reports)
    }

    /// The seal that the record has not; nil when it has one, which opens if the backend opens any. One that was made under
    /// another policy or description of the key is made anew.
    private static func missingSeal(
        of kek: KEK, _ record: Record, _ member: SealingChain.Member, _ recipient: Recipient
    ) async throws(SealingError) -> Seal? {
        if let entry = record.entry(for: recipient.id) {
            guard let seal = entry.seal(of: kek.id) else {
                throw SealingError(.permanent, "recipient \(recipient.id) was removed from the keyring")
            }
            if !member.backend.canUnseal { return nil }
            let isOutdated = seal.recipient != recipient
            if isOutdated, case .success(let new) = await member.makeSeal(kek, to: recipient).result { return new }
            // `status` says of an outdated one that it is.
            if case .success = await member.verify(seal, is: kek).result { return nil }
        }
        return try await member.makeSeal(kek, to: recipient).result.get()
    }

    private static func setting(_ seal: Seal, _ record: Record, _ kek: KEK) throws(SealingError) -> Record {
        do throws(FormatError) {
            return try record.setting(seal, under: kek)
        } catch {
            throw SealingError(.permanent, "\(error)", cause: error)
        }
    }
}
