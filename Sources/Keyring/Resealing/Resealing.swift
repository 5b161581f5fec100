internal import Synchronization

/// `trousseau reseal`: every open KEK is to have a seal that opens to each backend that seals.
extension KeyringService {
    /// Verifies, makes and renews seals, then removes those of replaced backends if that is wanted.
    ///
    /// Works on a service that runs and on one that does not: KEKs that are not open are opened first, if a backend can.
    /// A seal counts, and replaces another one, only after it was opened again and compared; each is on the disk before
    /// the next one is made. The backends work at the same time; one that fails or hangs costs its deadlines and a row of
    /// the report, and the others go on.
    ///
    /// - Parameter until: what was not done then is reported as failed.
    /// - Throws: `reseal` when another one is under way or `options` names no backend that seals; `notOpen` when no
    ///   backend opens the active KEK.
    public func reseal(
        _ options: ResealOptions, until: ContinuousClock.Instant
    ) async throws(KeyringError) -> ResealReport {
        try checkBackend(options)
        let isFirst = isResealing.withLock { isResealing in
            defer { isResealing = true }
            return !isResealing
        }
        guard isFirst else {
            throw KeyringError(.reseal, "another reseal is under way", hint: "wait for its end, then look at status")
        }
        defer { isResealing.withLock { $0 = false } }
        try await openForResealing(until: until)
        let before = state.withLock { $0.active?.publication.keyID }
        let run = ResealRun(service: self, options: options, until: until)
        var rows = await run.sealAll()
        rows += await run.retire(after: rows)
        rows += run.remaining(beside: rows)
        _ = publish()
        let order = Dictionary(
            chain.members.enumerated().map { ($1.backend.name, $0) }, uniquingKeysWith: { first, _ in first })
        func place(_ row: ResealReport.Row) -> Int { row.backend.flatMap { order[$0] } ?? Int.max }
        rows.sort { a, b in
            if a.generation != b.generation { return a.generation < b.generation }
            if a.kekID != b.kekID { return a.kekID.bytes.lexicographicallyPrecedes(b.kekID.bytes) }
            if place(a) != place(b) { return place(a) < place(b) }
            return a.recipientID ?? "" < b.recipientID ?? ""
        }
        let report = ResealReport(
            oldKeyID: before, keyID: state.withLock { $0.active?.publication.keyID }, rows: rows,
            backends: chain.members.map { ($0.backend.name, $0.unsealOnly) }, expecting: options.expecting)
        log(
            report.isComplete ? .info : .warning, "resealed",
            ("changed", "\(rows.count { [.added, .renewed, .dropped].contains($0.outcome) })"),
            ("failed", "\(rows.count { $0.outcome == .failed })"), ("key_id", report.keyID ?? ""))
        return report
    }

    private func checkBackend(_ options: ResealOptions) throws(KeyringError) {
        guard
            options.expecting.isEmpty
                || chain.members.contains(where: { !$0.unsealOnly && $0.backend is any MeasuredBackend })
        else {
            throw KeyringError(
                .reseal, "no backend that seals here binds seals to the machine's state",
                hint:
                    "values of PCRs are for a TPM with a literal policy; a running plugin has the configuration of its start"
            )
        }
        guard let name = options.backend else { return }
        let sealing = chain.members.filter { !$0.unsealOnly }.map(\.backend.name)
        guard !sealing.contains(name) else { return }
        throw KeyringError(
            .reseal, "\"\(name)\" is no backend that seals here",
            hint: "these are: \(sealing.joined(separator: ", ")); a running plugin has the configuration of its start")
    }

    /// One attempt at every KEK that is not open.
    private func openForResealing(until: ContinuousClock.Instant) async throws(KeyringError) {
        // What was refused for good may open now: the operator has done something about it, or wants to know.
        let active = state.withLock { state in
            for kekID in state.keks.keys { state.keks[kekID]?.forgetRefusals() }
            return state.roles.active.kekID
        }
        switch await open(active, until: until, isForced: true) {
        case .success: break
        case .failure(let trouble): throw KeyringError(.notOpen, trouble.reason, hint: trouble.hint)
        case nil:
            throw KeyringError(.notOpen, "no backend opened the active KEK in time", hint: "see trousseau doctor")
        }
        raiseHighest()
        for kekID in state.withLock({ $0.closed }) { _ = await open(kekID, until: until, isForced: true) }
        _ = publish()
    }
}
