internal import Synchronization

/// One run of `reseal` over the KEKs that were open at its beginning.
struct ResealRun: Sendable {
    typealias Row = ResealReport.Row

    /// A backend that seals, and what it says its sealing keys are.
    private struct Told: Sendable {
        let member: Int
        let hasTurn: Bool
        var recipients: Result<[Recipient], SealingError>
    }

    let service: KeyringService
    let options: ResealOptions
    let until: ContinuousClock.Instant
    /// The active one first, then from the latest on.
    let keks: [OpenedKEK]

    init(service: KeyringService, options: ResealOptions, until: ContinuousClock.Instant) {
        self.service = service
        self.options = options
        self.until = until
        let state = service.state.withLock { $0 }
        let active = state.roles.active.kekID
        keks = state.keks.values.compactMap(\.opened).sorted { a, b in
            let (a, b) = (a.trusted.identity, b.trusted.identity)
            if a.kekID == active || b.kekID == active { return a.kekID == active && b.kekID != active }
            return a.generation > b.generation
        }
    }

    /// Sees to it that every backend that seals has a seal of every KEK that opens; all backends at once.
    func sealAll() async -> [Row] {
        let members = service.chain.members.indices.filter { !service.chain.members[$0].unsealOnly }
        var told = await withTaskGroup(of: Told.self) { group in
            for member in members { group.addTask { await ask(member) } }
            var all: [Told] = []
            for await one in group { all.append(one) }
            return all.sorted { $0.member < $1.member }
        }
        defer { for one in told where one.hasTurn { service.turns[one.member].give() } }
        refuseTwins(&told)
        refuseUnknown(&told)
        let rows = await withTaskGroup(of: [Row].self) { group in
            for one in told { group.addTask { await seal(one) } }
            var rows: [Row] = []
            for await some in group { rows += some }
            return rows
        }
        return rows + pin(told)
    }

    private func ask(_ index: Int) async -> Told {
        let member = service.chain.members[index]
        // As long as healing may take with it.
        guard await service.turns[index].take(until: min(until, .now + member.deadline * 3)) else {
            let error = SealingError(.retry, "a seal is being made or checked and does not end", hint: nil)
            return Told(member: index, hasTurn: false, recipients: .failure(error))
        }
        let generateKeys = options.generateKeys
        let outcome = await member.call("recipients", until: until) { (backend, until) throws(SealingError) in
            try await backend.recipients(generateMissingKey: generateKeys, until: until)
        }
        note(index, outcome)
        let recipients = outcome.result.flatMap { recipients -> Result<[Recipient], SealingError> in
            recipients.isEmpty
                ? .failure(SealingError(.operatorMustAct, "it has no sealing key")) : .success(recipients)
        }
        return Told(member: index, hasTurn: true, recipients: recipients)
    }

    /// Two seals to one key are one seal: if it is lost, both are.
    private func refuseTwins(_ told: inout [Told]) {
        var owners: [String: Int] = [:]
        for index in told.indices {
            guard case .success(let recipients) = told[index].recipients else { continue }
            if let owner = recipients.lazy.compactMap({ owners[$0.id] }).first {
                let name = service.chain.members[owner].backend.name
                told[index].recipients = .failure(
                    SealingError(
                        .operatorMustAct, "its sealing key is that of backend \(name)",
                        hint: "give it a key of its own, or remove it from the configuration"))
            } else {
                for recipient in recipients { owners[recipient.id] = told[index].member }
            }
        }
    }

    /// Whoever puts a device of his own in a backend's place would get the KEKs: another key needs the operator's word.
    private func refuseUnknown(_ told: inout [Told]) {
        guard let active = keks.first, let record = record(of: active) else { return }
        let pins = service.pins(active)
        var accounted = Set(service.chain.members.flatMap { pins?.recipients(of: $0.backend.name) ?? [] })
        for case .success(let recipients) in told.map(\.recipients) { accounted.formUnion(recipients.map(\.id)) }
        for index in told.indices {
            let backend = service.chain.members[told[index].member].backend
            guard case .success(let recipients) = told[index].recipients, options.backend != backend.name else {
                continue
            }
            let ids = Set(recipients.map(\.id))
            var known = pins?.recipients(of: backend.name) ?? []
            if known.isEmpty {
                // A backend that comes new, or the keyring has no pins.
                guard !ids.contains(where: { record.entry(for: $0)?.isTombstone == false }) else { continue }
                known = service.orphans(record, kind: backend.kind) { recipient in
                    accounted.contains(recipient.id)
                        || service.chain.members.contains { $0.unsealOnly && $0.backend.serves(recipient) }
                }
            }
            guard !known.isEmpty, ids.isDisjoint(with: known) else { continue }
            told[index].recipients = .failure(
                SealingError(
                    .operatorMustAct,
                    "its sealing key is another one than \(known.sorted().joined(separator: ", ")), which the keyring "
                        + "has",
                    hint: "if you have replaced it, say so with --backend \(backend.name)"))
        }
    }

    /// What the backends have told is what they are known by from now on, so that seals that failed are made when their
    /// backend is back.
    ///
    /// - Returns: the failure, if it was not stored.
    private func pin(_ told: [Told]) -> [Row] {
        guard let active = keks.first else { return [] }
        let entries = told.compactMap { one -> Pins.Entry? in
            guard case .success(let recipients) = one.recipients else { return nil }
            return Pins.Entry(service.chain.members[one.member].backend.name, recipients.map(\.id))
        }
        guard let problem = service.pin(entries, active) else { return [] }
        return [
            Row(
                generation: active.trusted.identity.generation, kekID: active.trusted.identity.kekID, backend: nil,
                kind: "", recipientID: nil, outcome: .failed, isVerified: false,
                note: "which keys the backends have was not stored: \(problem)", hint: nil)
        ]
    }

    private func seal(_ told: Told) async -> [Row] {
        var rows: [Row] = []
        switch told.recipients {
        case .failure(let error):
            for kek in keks { rows.append(failed(kek, told.member, nil, error)) }
        case .success(let recipients):
            var broken = false
            for kek in keks {
                for recipient in recipients {
                    guard !broken else {
                        let error = SealingError(.retry, "not tried, since the backend had failed")
                        rows.append(failed(kek, told.member, recipient, error))
                        continue
                    }
                    let (row, goesOn) = await seal(kek, told.member, recipient)
                    rows.append(row)
                    broken = !goesOn
                }
            }
        }
        return rows
    }

    /// - Returns: also whether the backend is worth another call.
    private func seal(_ kek: OpenedKEK, _ index: Int, _ recipient: Recipient) async -> (Row, Bool) {
        let member = service.chain.members[index]
        let kekID = kek.trusted.identity.kekID
        let entry = record(of: kek)?.entry(for: recipient.id)
        if entry?.isTombstone == true {
            let error = SealingError(
                .operatorMustAct, "recipient \(recipient.id) was removed from the keyring",
                hint: "give the backend a sealing key of its own")
            return (failed(kek, index, recipient, error), true)
        }
        var reason: String?
        if let old = entry?.seal(of: kekID), options.backend != member.backend.name {
            guard member.backend.canUnseal else {
                return (row(kek, index, recipient, .kept, note: "its key is kept elsewhere: not opened here"), true)
            }
            let outcome = await member.verify(old, is: kek.trusted.kek, until: until)
            note(index, outcome)
            switch outcome.result {
            case .success:
                verified(kekID, recipient)
                return (row(kek, index, recipient, .kept, isVerified: true), true)
            case .failure(let error) where error.errorClass == .permanent:
                reason = "the old seal did not open: \(error.message)"
            case .failure(let error):
                return (failed(kek, index, recipient, error, keeps: true), false)
            }
        }
        let made = await member.makeSeal(kek.trusted.kek, to: recipient, until: until)
        note(index, made)
        do throws(SealingError) {
            let seal = try made.result.get()
            if let problem = service.change(
                kek,
                { (record) throws(FormatError) in
                    try record.setting(seal, under: kek.trusted.kek)
                })
            {
                throw SealingError(.permanent, problem)
            }
        } catch {
            return (failed(kek, index, recipient, error, keeps: entry != nil), error.errorClass == .permanent)
        }
        service.state.withLock { $0.health[index].healingProblem = nil }
        if member.backend.canUnseal { verified(kekID, recipient) }
        return (
            row(
                kek, index, recipient, entry == nil ? .added : .renewed, isVerified: member.backend.canUnseal,
                note: member.backend.canUnseal ? reason : "its key is kept elsewhere: not opened here"), true
        )
    }
}

extension ResealRun {
    func record(of kek: OpenedKEK) -> Record? {
        service.state.withLock { $0.keks[kek.trusted.identity.kekID]?.record }
    }

    func row(
        _ kek: OpenedKEK, _ member: Int, _ recipient: Recipient?, _ outcome: Row.Outcome, isVerified: Bool = false,
        note: String? = nil, hint: String? = nil
    ) -> Row {
        let backend = service.chain.members[member].backend
        return Row(
            generation: kek.trusted.identity.generation, kekID: kek.trusted.identity.kekID, backend: backend.name,
            kind: backend.kind, recipientID: recipient?.id, outcome: outcome, isVerified: isVerified, note: note,
            hint: hint)
    }

    /// - Parameter keeps: whether there is an older seal, which stays.
    private func failed(
        _ kek: OpenedKEK, _ member: Int, _ recipient: Recipient?, _ error: SealingError, keeps: Bool = false
    ) -> Row {
        let note = error.message + (keeps ? "; the seal that is there was kept" : "")
        return row(kek, member, recipient, .failed, note: note, hint: error.hint)
    }

    private func note<Answer>(_ member: Int, _ outcome: CallOutcome<Answer>) {
        if case .failure(let error) = outcome.result {
            service.note(member, error, latency: outcome.latency)
        } else {
            service.note(member, nil, latency: outcome.latency)
        }
    }

    private func verified(_ kekID: KEKID, _ recipient: Recipient) {
        service.verified(kekID, KEKState.SealKey(recipient.id, isLocal: false), problem: nil)
    }
}
