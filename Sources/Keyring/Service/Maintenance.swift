internal import Synchronization

/// What is done for a backend while the keyring serves.
extension KeyringService {
    /// Probes the backend, fills its missing seal, opens its seals again from time to time and moves them to the newest
    /// versions of their keys, until cancelled. One call at a time.
    func maintain(_ member: Int) async {
        while !Task.isCancelled {
            // Opening a real seal says as much as a probe.
            if history(member).state != .failing { await inTurn(member) { await self.verifySeals(member) } }
            if history(member).isSilent(for: pacing.probeInterval * 0.7, pacing.now()) { await probe(member) }
            if history(member).state == .ok {
                await inTurn(member) {
                    await self.verifySeals(member)
                    await self.learn(member)
                    await self.heal(member)
                    await self.sealLocally(member)
                    await self.verifySeals(member)
                    await self.verifyOneOther(member)
                    await self.refreshOne(member)
                }
            }
            await pacing.pause(.maintenance(member), chain.members[member].breaker.pause())
        }
    }

    /// Does it unless `reseal` is at work on the backend: that does the same and more.
    private func inTurn(_ member: Int, _ body: () async -> Void) async {
        guard turns[member].tryTake() else { return }
        defer { turns[member].give() }
        await body()
    }

    private func history(_ member: Int) -> CallHistory { chain.members[member].breaker.history }

    private func probe(_ member: Int) async {
        _ = await chain.members[member].call("probe") { (backend, until) throws(SealingError) in
            do throws(SealingError) {
                try await backend.probe(until: until)
            } catch {
                throw error.asHealth
            }
        }
    }

    /// Asks the backend for its sealing key, once, and again when it has been away: `status` compares it with that of the
    /// seals. That it does not tell says nothing about its health.
    private func learn(_ index: Int) async {
        let member = chain.members[index]
        let health = state.withLock { $0.health[index] }
        guard !member.unsealOnly, member.backend.describesMoreThanKeys, health.recipients == nil,
            health.askAt.map({ $0 <= pacing.now() }) ?? true
        else { return }
        let told = await member.call("recipients") { (backend, until) throws(SealingError) in
            do throws(SealingError) {
                return try await backend.recipients(generateMissingKey: false, until: until)
            } catch {
                guard error.errorClass == .operatorMustAct else { throw error }
                throw SealingError(.permanent, error.message, hint: error.hint, cause: error.cause)
            }
        }
        if Task.isCancelled { return }
        let again = pacing.now() + Backoff.refusal(after: 1, factor: pacing.jitter)
        state.withLock { state in
            switch told.result {
            case .success(let recipients): state.health[index].recipients = recipients
            case .failure: state.health[index].askAt = again
            }
        }
    }

    /// Makes the active KEK's seal to this backend, if it has none and an operator wanted it to have one.
    ///
    /// Only keys that the backend is known by get a seal, and the first one of a backend that `init` wanted and did not
    /// reach. Whatever else it tells is left to `reseal`: whoever put a device of his own in its place would get the KEK.
    private func heal(_ index: Int) async {
        let member = chain.members[index]
        let now = pacing.now()
        let state = self.state.withLock { $0 }
        guard !member.unsealOnly, let active = state.activeKEK,
            let record = state.keks[active.trusted.identity.kekID]?.record,
            !record.liveSeals.contains(where: { member.backend.serves($0.recipient) }),
            // Its seals stay on this node: see `sealLocally`.
            state.health[index].recipients != []
        else { return }
        let pinned: [String]
        switch mayHeal(index, record, active) {
        case .success(let known): pinned = known
        case .failure(let refusal): return healingFailed(index, refusal.reason)
        }
        guard let due = state.health[index].healAt else {
            let due = now + .seconds(pacing.random(pacing.healDelay))
            self.state.withLock { $0.health[index].healAt = due }
            return await now >= due ? heal(index) : ()
        }
        guard now >= due else { return }
        self.state.withLock { $0.health[index].healAt = nil }
        let told = await member.call("recipients") { (backend, until) throws(SealingError) in
            try await backend.recipients(generateMissingKey: false, until: until)
        }
        guard let recipients = finish(index, told) else { return }
        self.state.withLock { $0.health[index].recipients = recipients }
        if pinned.isEmpty, !recipients.isEmpty {
            // Before anything is sealed to it: whatever happens now, no other key is its first one any more.
            let entry = Pins.Entry(member.backend.name, recipients.map(\.id))
            if let failure = pin([entry], active) { return healingFailed(index, failure) }
            log(
                .warning, "a backend that init did not reach has told its sealing key for the first time",
                ("backend", member.backend.name), ("recipient", recipients.map(\.id).joined(separator: ", ")))
        }
        for recipient in recipients where record.entry(for: recipient.id) == nil {
            guard pinned.isEmpty || pinned.contains(recipient.id) else {
                return healingFailed(index, Unknown.changed(member.backend.name, pinned).reason)
            }
            guard let seal = finish(index, await member.makeSeal(active.trusted.kek, to: recipient)) else { return }
            add(seal, active, index)
        }
    }

    /// Why a backend gets no seal without an operator's command.
    private struct Unknown: Error {
        let reason: String

        static func changed(_ backend: String, _ pinned: [String]) -> Unknown {
            Unknown(
                reason: "its sealing key is another one than \(pinned.joined(separator: ", ")), by which the keyring "
                    + "knows it; if you have replaced it, run trousseau reseal --backend \(backend)")
        }
    }

    /// The keys that the backend is known by and that may lack a seal; empty when its first one is still to come.
    private func mayHeal(_ index: Int, _ record: Record, _ active: OpenedKEK) -> Result<[String], Unknown> {
        let backend = chain.members[index].backend
        let pins = pins(active)
        guard let pinned = pins?.recipients(of: backend.name) else {
            let what = pins == nil ? "\(directory)/\(PinsFile.name) is not there or was altered" : "it is new here"
            return .failure(Unknown(reason: "\(what): run trousseau reseal, which seals to its key"))
        }
        if let removed = pinned.first(where: { record.entry(for: $0)?.isTombstone == true }) {
            return .failure(Unknown(reason: "recipient \(removed) was removed from the keyring"))
        }
        if pinned.isEmpty {
            // Pins that were put back from an older copy: it may have told its first key since.
            let orphans = orphans(record, kind: backend.kind) { recipient in
                chain.members.indices.contains { $0 != index && chain.members[$0].backend.serves(recipient) }
            }
            return orphans.isEmpty ? .success([]) : .failure(.changed(backend.name, orphans))
        }
        // It has a seal, but does not take it for its own any more.
        let missing = pinned.filter { record.entry(for: $0) == nil }
        return missing.isEmpty ? .failure(.changed(backend.name, pinned)) : .success(missing)
    }

    /// What the call answered; nil when it failed, which is then said.
    private func finish<Answer>(_ member: Int, _ outcome: CallOutcome<Answer>) -> Answer? {
        if Task.isCancelled { return nil }
        switch outcome.result {
        case .success(let answer):
            return answer
        case .failure(let error):
            healingFailed(member, "\(error)")
            return nil
        }
    }

    private func healingFailed(_ member: Int, _ reason: String) {
        let isNew = state.withLock { state in
            defer { state.health[member].healingProblem = reason }
            return state.health[member].healingProblem != reason
        }
        guard isNew else { return }
        log(.error, "a missing seal was not made", ("backend", chain.members[member].backend.name), ("reason", reason))
    }

    /// Puts a seal that counts into the active record: on the disk first, then into what etcd is to carry.
    private func add(_ seal: Seal, _ active: OpenedKEK, _ member: Int) {
        let kekID = active.trusted.identity.kekID
        let failure = change(active) { (record) throws(FormatError) in
            try record.setting(seal, under: active.trusted.kek)
        }
        if let failure { return healingFailed(member, failure) }
        state.withLock { $0.health[member].healingProblem = nil }
        if chain.members[member].backend.canUnseal {
            verified(kekID, KEKState.SealKey(seal.recipient.id, isLocal: false), by: member, problem: nil)
        }
        log(
            .info, "a missing seal was made", ("backend", chain.members[member].backend.name),
            ("recipient", seal.recipient.id), ("kek", "\(kekID)"))
        _ = publish()
    }
}

extension SealingError {
    /// A probe that fails is a failing backend, whatever its class.
    fileprivate var asHealth: SealingError {
        guard errorClass == .permanent else { return self }
        return SealingError(.operatorMustAct, message, hint: hint, cause: cause)
    }
}
