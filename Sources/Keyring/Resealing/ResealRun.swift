internal import Synchronization

/// One run of `reseal` over the KEKs that were open at its beginning.
struct ResealRun: Sendable {
    typealias Row = ResealReport.Row

    /// A backend that seals, and what it says its sealing keys are.
    private struct Told: Sendable {
        let member: Int
        let hasTurn: Bool
        /// For the record.
        var recipients: Result<[Recipient], SealingError>
        /// For this node.
        var local: [Recipient] = []

        /// All of them.
        var ids: [String] { ((try? recipients.get()) ?? []).map(\.id) + local.map(\.id) }
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
        keks = service.state.withLock { $0.open }
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
        await refuseUnknown(&told)
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
        // An operator who names the backend, or has keys made, has done something about it: what it failed with before, such
        // as a key that it had not, is no answer to that.
        if options.generateKeys || options.backend == member.backend.name { member.breaker.letOneIn() }
        return await tell(index)
    }

    /// What the backend says its sealing keys are; the caller has its turn.
    private func tell(_ index: Int) async -> Told {
        let member = service.chain.members[index]
        let generateKeys = options.generateKeys
        let outcome = await member.call("recipients", until: until) { (backend, until) throws(SealingError) in
            try await backend.recipients(generateMissingKey: generateKeys, until: until)
        }
        let told = outcome.sayingWhenSpared(by: member)
        guard case .success(let recipients) = told else {
            return Told(member: index, hasTurn: true, recipients: told)
        }
        let local = await member.localRecipients(until: until)
        switch local.result {
        case .failure(let error):
            return Told(member: index, hasTurn: true, recipients: .failure(error))
        case .success(let local) where local.isEmpty && recipients.isEmpty:
            let error = SealingError(.operatorMustAct, "it has no sealing key")
            return Told(member: index, hasTurn: true, recipients: .failure(error))
        case .success(let local):
            service.state.withLock { state in
                state.health[index].recipients = recipients
                state.health[index].localRecipients = local
            }
            switch await expected(member) {
            case .failure(let error):
                return Told(member: index, hasTurn: true, recipients: .failure(error))
            case .success(let expected):
                // Whatever is like a state that the configuration names is one seal with it.
                let more = expected.filter { one in !local.contains { $0.id == one.id } }
                return Told(member: index, hasTurn: true, recipients: .success(recipients), local: local + more)
            }
        }
    }

    /// The member's recipients for the states that are to come; none for backends that do not measure the machine.
    private func expected(_ member: SealingChain.Member) async -> Result<[Recipient], SealingError> {
        let states = options.expecting
        guard !states.isEmpty, let backend = member.backend as? any MeasuredBackend else { return .success([]) }
        let outcome = await member.call("local recipients", until: until) { (_, until) throws(SealingError) in
            try await backend.localRecipients(expecting: states, until: until)
        }
        return outcome.result
    }

    /// Two seals to one key are one seal: if it is lost, both are.
    private func refuseTwins(_ told: inout [Told]) {
        var owners: [String: Int] = [:]
        for index in told.indices {
            if let owner = told[index].ids.lazy.compactMap({ owners[$0] }).first {
                let name = service.chain.members[owner].backend.name
                told[index].recipients = .failure(
                    SealingError(
                        .operatorMustAct, "its sealing key is that of backend \(name)",
                        hint: "give it a key of its own, or remove it from the configuration"))
            } else {
                for id in told[index].ids { owners[id] = told[index].member }
            }
        }
    }

    /// Whoever puts a device of his own in a backend's place would get the KEKs: another key needs the operator's word,
    /// unless the device has just opened the active KEK.
    private func refuseUnknown(_ told: inout [Told]) async {
        guard let active = keks.first, let record = record(of: active) else { return }
        let pins = service.pins(active)
        var accounted = Set(service.chain.members.flatMap { pins?.recipients(of: $0.backend.name) ?? [] })
        for one in told { accounted.formUnion(one.ids) }
        for index in told.indices {
            let backend = service.chain.members[told[index].member].backend
            guard case .success = told[index].recipients, options.backend != backend.name else { continue }
            let ids = Set(told[index].ids)
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
            // Another policy, say, of the same TPM. Now that it has opened a seal it may know the key that it is known by.
            if case .success(.some) = await service.openOne(active, told[index].member, until: until) {
                told[index] = await tell(told[index].member)
                continue
            }
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
        let old = service.pins(active)
        var sealed = Set(keks.flatMap { record(of: $0)?.liveSeals ?? [] }.map(\.recipient.id))
        sealed.formUnion(keks.flatMap { local($0) }.map(\.recipient.id))
        let entries = told.compactMap { one -> Pins.Entry? in
            guard case .success = one.recipients else { return nil }
            let name = service.chain.members[one.member].backend.name
            // The same device under another policy is still known by what it has seals to.
            let kept = options.backend == name ? [] : (old?.recipients(of: name) ?? []).filter { sealed.contains($0) }
            return Pins.Entry(name, one.ids + kept)
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
                let record = record(of: kek)
                let removed = recipients.filter { record?.entry(for: $0.id)?.isTombstone == true }
                for recipient in recipients where !removed.contains(recipient) {
                    rows.append(await seal(kek, told.member, recipient, unless: &broken))
                }
                if !told.local.isEmpty {
                    if broken {
                        rows += told.local.map { failed(kek, told.member, $0, ResealRun.notTried, isLocal: true) }
                    } else {
                        let (local, goesOn) = await sealLocally(kek, told.member, told.local, beside: rows)
                        rows += local
                        broken = !goesOn
                    }
                }
                for recipient in removed {
                    if let error = standing(kek, told.member, recipient, after: rows) {
                        rows.append(failed(kek, told.member, recipient, error))
                    } else {
                        rows.append(await seal(kek, told.member, recipient, unless: &broken))
                    }
                }
            }
        }
        return rows
    }

    private static let notTried = SealingError(.retry, "not tried, since the backend had failed")

    private func seal(
        _ kek: OpenedKEK, _ member: Int, _ recipient: Recipient, unless broken: inout Bool
    ) async -> Row {
        guard !broken else { return failed(kek, member, recipient, ResealRun.notTried) }
        let (row, goesOn) = await seal(kek, member, recipient)
        broken = !goesOn
        return row
    }

    /// Why a recipient that was removed stays so; nil when it comes back.
    ///
    /// It does for a device that wanted its seals to stay on this node (`Retirement`) and wants that no more, if the operator
    /// names it and it has opened such a seal of the KEK in this run: it then gets nothing that it has not.
    private func standing(
        _ kek: OpenedKEK, _ index: Int, _ recipient: Recipient, after rows: [Row]
    ) -> SealingError? {
        let name = service.chain.members[index].backend.name
        let hasLocal = rows.contains {
            $0.backend == name && $0.kekID == kek.trusted.identity.kekID && $0.isLocal && $0.isVerified
        }
        if hasLocal, options.backend == name { return nil }
        return SealingError(
            .operatorMustAct, "recipient \(recipient.id) was removed from the keyring",
            hint: hasLocal
                ? "if that was because the backend wanted a PIN, and wants it no more: reseal --backend \(name)"
                : "give the backend a sealing key of its own")
    }

    /// - Returns: also whether the backend is worth another call.
    private func seal(_ kek: OpenedKEK, _ index: Int, _ recipient: Recipient) async -> (Row, Bool) {
        let member = service.chain.members[index]
        let kekID = kek.trusted.identity.kekID
        let entry = record(of: kek)?.entry(for: recipient.id)
        var reason: String?
        if let old = entry?.seal(of: kekID), options.backend != member.backend.name {
            switch await keep(kek, index, recipient, old) {
            case .done(let row, let goesOn): return (row, goesOn)
            case .remake(let why): reason = why
            }
        }
        let isThere = entry?.isTombstone == false
        let made = await member.makeSeal(kek.trusted.kek, to: recipient, until: until)
        do throws(SealingError) {
            try publish(try made.result.get(), kek, by: index)
        } catch {
            return (failed(kek, index, recipient, error, keeps: isThere), error.errorClass == .permanent)
        }
        service.state.withLock { $0.health[index].healingProblem = nil }
        return (
            row(
                kek, index, recipient, isThere ? .renewed : .added, isVerified: member.backend.canUnseal,
                note: member.backend.canUnseal ? reason : "its key is kept elsewhere: not opened here"), true
        )
    }

    /// What becomes of a seal that is there.
    private enum Kept {
        case done(Row, Bool)
        /// It has to be made anew, and why.
        case remake(String)
    }

    /// Opens a seal, and publishes it under the newest version of its key. This node's own version of it comes first.
    private func keep(_ kek: OpenedKEK, _ index: Int, _ recipient: Recipient, _ old: Seal) async -> Kept {
        let member = service.chain.members[index]
        let isOutdated = old.recipient != recipient
        guard member.backend.canUnseal else {
            var note = "its key is kept elsewhere: not opened here"
            if isOutdated { note += "; its description has changed: --backend \(member.backend.name) makes it anew" }
            return .done(row(kek, index, recipient, .kept, note: note), true)
        }
        if isOutdated { return .remake("the old seal was made under another policy or description of the key") }
        let kekID = kek.trusted.identity.kekID
        let own = service.state.withLock { $0.keks[kekID]?.refreshed(recipient.id) }
        var best: Seal?
        var refusal = ""
        for seal in [own, old].compactMap(\.self) where best == nil {
            let error = await member.verify(seal, is: kek.trusted.kek, until: until).error
            switch error?.errorClass {
            case nil:
                service.verified(kekID, KEKState.SealKey(recipient.id, isLocal: seal == own), by: index, problem: nil)
                best = seal
            case .permanent: refusal = error?.message ?? ""
            default:
                guard let error else { continue }
                return .done(failed(kek, index, recipient, error, keeps: true), false)
            }
        }
        guard var best else { return .remake("the old seal did not open: \(refusal)") }
        // One that does not open, or that the record has, is of no use.
        if let own, best != own || own.bytes == old.bytes { _ = service.dropLocally(own) }
        let refreshed = await member.refresh(best, of: kek.trusted.kek, until: until)
        if case .success(let new?) = refreshed.result { best = new }
        let left = refreshed.error.map { "not moved to the newest version of its key: \($0.message)" }
        let goesOn = refreshed.error.map { $0.errorClass == .permanent } ?? true
        guard best.bytes != old.bytes else {
            return .done(
                row(kek, index, recipient, .kept, isVerified: true, note: left, hint: refreshed.error?.hint), goesOn)
        }
        do throws(SealingError) {
            try publish(best, kek, by: index)
        } catch {
            return .done(failed(kek, index, recipient, error, keeps: true), true)
        }
        return .done(
            row(
                kek, index, recipient, .renewed, isVerified: true,
                note: left ?? "moved to the newest version of its key", hint: refreshed.error?.hint), goesOn)
    }

    /// Puts a seal that counts into the record. This node's own version of it is of no use any more.
    func publish(_ seal: Seal, _ kek: OpenedKEK, by index: Int) throws(SealingError) {
        let problem = service.change(kek) { (record) throws(FormatError) in
            try record.setting(seal, under: kek.trusted.kek)
        }
        if let problem { throw SealingError(.permanent, problem) }
        let kekID = kek.trusted.identity.kekID
        service.state.withLock { $0.keks[kekID]?.refreshProblems[seal.recipient.id] = nil }
        if service.chain.members[index].backend.canUnseal {
            service.verified(kekID, KEKState.SealKey(seal.recipient.id, isLocal: false), by: index, problem: nil)
        }
        if let own = service.state.withLock({ $0.keks[kekID]?.refreshed(seal.recipient.id) }) {
            // The one in the record is as new: that this one stays, too, would do no harm.
            _ = service.dropLocally(own)
        }
    }
}

extension ResealRun {
    func record(of kek: OpenedKEK) -> Record? {
        service.state.withLock { $0.keks[kek.trusted.identity.kekID]?.record }
    }

    func row(
        _ kek: OpenedKEK, _ member: Int, _ recipient: Recipient?, _ outcome: Row.Outcome, isVerified: Bool = false,
        isLocal: Bool = false, note: String? = nil, hint: String? = nil
    ) -> Row {
        let backend = service.chain.members[member].backend
        return Row(
            generation: kek.trusted.identity.generation, kekID: kek.trusted.identity.kekID, backend: backend.name,
            kind: backend.kind, recipientID: recipient?.id, isLocal: isLocal, outcome: outcome, isVerified: isVerified,
            note: note, hint: hint)
    }

    /// - Parameter keeps: whether there is an older seal, which stays.
    func failed(
        _ kek: OpenedKEK, _ member: Int, _ recipient: Recipient?, _ error: SealingError, keeps: Bool = false,
        isLocal: Bool = false
    ) -> Row {
        let note = error.message + (keeps ? "; the seal that is there was kept" : "")
        return row(kek, member, recipient, .failed, isLocal: isLocal, note: note, hint: error.hint)
    }
}
