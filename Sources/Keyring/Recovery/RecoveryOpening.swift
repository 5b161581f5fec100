/// Opens what was found, and says what may be believed.
struct RecoveryOpening: Sendable {
    /// A KEK that goes into the new keyring.
    struct Kept: Sendable {
        let trusted: TrustedKEK
        /// All versions that are the KEK's own, merged.
        var record: Record
        /// Local seals that were made for it.
        var local: [Seal] = []
        /// The seal that opened it, and who did.
        let seal: Seal
        let openedBy: String
    }

    /// In ascending order of generations.
    var kept: [Kept] = []
    /// Of every KEK that was found, in ascending order of generations.
    var reports: [RecoveredKEK] = []

    private struct Attempt {
        let group: RecoverySelection.Group
        var opened: RecoveryTrust.Opened?
        var seal: Seal?
        var report: RecoveredKEK
    }

    /// - Parameters:
    ///   - chain: whatever may open: the offline key, then the configured backends.
    ///   - localSeals: of a keyring's folder.
    static func run(
        _ selection: RecoverySelection, _ chain: SealingChain, localSeals: [Seal], keyIDs: [KeyID]
    ) async -> RecoveryOpening {
        var attempts: [Attempt] = []
        for group in selection.groups {
            let local = localSeals.filter { $0.kekID == group.kekID }
            attempts.append(await open(group, chain, chain.candidates(local: local, shared: group.seals)))
        }
        var believed = RecoveryTrust.believed(attempts.compactMap(\.opened), keyIDs: keyIDs)
        for index in attempts.indices {
            let attempt = attempts[index]
            guard let opened = attempt.opened, !opened.isAuthenticated, !believed.contains(attempt.group.kekID) else {
                continue
            }
            // Another seal of it may say more than the one that opened first.
            let local = localSeals.filter { $0.kekID == attempt.group.kekID }
            let candidates = chain.candidates(local: local, shared: attempt.group.seals).filter(\.isAuthenticated)
            let again = await open(attempt.group, chain, candidates)
            guard again.opened != nil else { continue }
            attempts[index] = again
            believed = RecoveryTrust.believed(attempts.compactMap(\.opened), keyIDs: keyIDs)
        }
        var result = RecoveryOpening()
        for attempt in attempts {
            var report = attempt.report
            if let opened = attempt.opened, let seal = attempt.seal {
                if believed.contains(attempt.group.kekID) {
                    report.outcome = .recovered
                    result.kept.append(
                        Kept(
                            trusted: opened.trusted, record: opened.record, seal: seal,
                            openedBy: report.openedBy ?? ""))
                } else {
                    report.outcome = .notTrusted
                    report.reason =
                        "anyone could have made its seals, and no KEK that is believed vouches for it; give its key_id, "
                        + "too, if that was kept"
                }
            }
            result.reports.append(report)
        }
        return result
    }

    private static func open(
        _ group: RecoverySelection.Group, _ chain: SealingChain, _ candidates: [SealCandidate]
    ) async -> Attempt {
        var attempt = Attempt(
            group: group,
            report: RecoveredKEK(
                generation: group.generation, kekID: group.kekID, files: group.versions.map(\.file),
                outcome: .notOpened))
        switch await chain.open(group.kekID, by: candidates, observe: { _, _ in }) {
        case .failure(let failure):
            let reasons = failure.attempts.map {
                "\(chain.members[$0.candidate.member].backend.name): \($0.error.message)"
            }
            let recipients = Set(group.seals.map(\.recipient.id)).sorted().joined(separator: ", ")
            attempt.report.reason =
                reasons.isEmpty
                ? "nothing at hand has the key of any of its recipients: \(recipients)"
                : reasons.joined(separator: "; ")
        case .success(let opened):
            let name = chain.members[opened.candidate.member].backend.name
            guard let record = merge(group.versions.map(\.record), opened.kek),
                let trusted = TrustedKEK(record.identity, opened.kek)
            else {
                attempt.report.outcome = .altered
                attempt.report.reason = "its MAC is not that of its KEK: restore another copy of it"
                return attempt
            }
            attempt.opened = RecoveryTrust.Opened(
                trusted: trusted, record: record, isAuthenticated: opened.candidate.isAuthenticated)
            attempt.seal = opened.candidate.seal
            attempt.report.openedBy = name
        }
        return attempt
    }

    /// The union of those versions that are the KEK's own. One that does not fit any more is left out.
    private static func merge(_ versions: [Record], _ kek: KEK) -> Record? {
        let authentic = versions.filter { $0.isAuthentic(under: kek) }
        guard var record = authentic.first else { return nil }
        for version in authentic.dropFirst() {
            do throws(FormatError) { record = try record.merged(with: version, under: kek) } catch { continue }
        }
        return record
    }
}
