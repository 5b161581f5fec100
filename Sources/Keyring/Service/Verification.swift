internal import Synchronization

/// Seals are opened again from time to time, and moved to the newest versions of their keys.
extension KeyringService {
    /// Opens the active KEK's seals of this backend that were not opened for a day, or never here.
    func verifySeals(_ member: Int) async {
        guard let active = state.withLock({ $0.activeKEK }) else { return }
        for candidate in candidates(active, member) where isDue(.verification, candidate, active, firstAfter: .zero) {
            guard await verify(candidate, active) else { return }
        }
    }

    /// Opens one seal of another KEK by this backend, if one is due. They are spread over the day, and no device has to
    /// open a whole keyring at once.
    func verifyOneOther(_ member: Int) async {
        let (open, active) = state.withLock { ($0.open, $0.roles.active.kekID) }
        for kek in open where kek.trusted.identity.kekID != active {
            for candidate in candidates(kek, member)
            where isDue(.verification, candidate, kek, firstAfter: pacing.verifyInterval * pacing.random(0...1)) {
                _ = await verify(candidate, kek)
                return
            }
        }
    }

    /// Looks whether one seal of a record by this backend is to be moved to the newest version of its key, if one is due.
    /// The new seal stays on this node until `reseal` publishes it.
    func refreshOne(_ member: Int) async {
        guard !chain.members[member].unsealOnly, chain.members[member].backend.hasKeyVersions else { return }
        let (open, active) = state.withLock { ($0.open, $0.roles.active.kekID) }
        for kek in open {
            let delay =
                kek.trusted.identity.kekID == active
                ? Duration.seconds(pacing.random(pacing.refreshDelay)) : pacing.verifyInterval * pacing.random(0...1)
            for candidate in candidates(kek, member)
            where !candidate.isLocal && isDue(.refresh, candidate, kek, firstAfter: delay) {
                await refresh(candidate, kek)
                return
            }
        }
    }

    private func candidates(_ kek: OpenedKEK, _ member: Int) -> [SealCandidate] {
        guard let state = state.withLock({ $0.keks[kek.trusted.identity.kekID] }) else { return [] }
        return chain.candidates(local: state.local, shared: state.record.liveSeals).filter { $0.member == member }
    }

    private func isDue(
        _ upkeep: SealUpkeep, _ candidate: SealCandidate, _ kek: OpenedKEK, firstAfter delay: Duration
    ) -> Bool {
        let now = pacing.now()
        return state.withLock {
            $0.keks[kek.trusted.identity.kekID]?.isDue(upkeep, of: .init(candidate), now) { delay } ?? false
        }
    }

    /// - Returns: whether the backend is worth another call.
    private func verify(_ candidate: SealCandidate, _ kek: OpenedKEK) async -> Bool {
        let kekID = kek.trusted.identity.kekID
        let key = KEKState.SealKey(candidate)
        let outcome = await chain.members[candidate.member].verify(candidate.seal, is: kek.trusted.kek)
        if Task.isCancelled { return false }
        guard let error = outcome.error else {
            verified(kekID, key, by: candidate.member, problem: nil)
            return true
        }
        guard error.errorClass == .permanent else { return false }
        // Of several on this node one has to open: the others may be to a state that is past or to come.
        let isOneOfSeveral = candidate.isLocal && hasOpenedLocally(kekID, candidate.member)
        log(
            isOneOfSeveral ? .info : .error, "a seal does not open",
            ("backend", chain.members[candidate.member].backend.name), ("kek", "\(kekID)"),
            ("recipient", key.recipientID), ("reason", "\(error)"))
        verified(kekID, key, by: candidate.member, problem: error.message)
        return true
    }

    /// Notes that a backend has opened a seal, or why it did not.
    func verified(_ kekID: KEKID, _ key: KEKState.SealKey, by member: Int, problem: String?) {
        let name = chain.members[member].backend.name
        state.withLock { $0.keks[kekID]?.note(key, by: name, problem: problem, pacing) }
    }

    /// From this node's own version of the seal, if there is one that opens.
    private func refresh(_ candidate: SealCandidate, _ kek: OpenedKEK) async {
        let kekID = kek.trusted.identity.kekID
        let member = chain.members[candidate.member]
        let recipientID = candidate.seal.recipient.id
        let own = state.withLock { $0.keks[kekID]?.refreshed(recipientID) }
        var problem: String?
        for seal in [own, candidate.seal].compactMap(\.self) {
            let outcome = await member.refresh(seal, of: kek.trusted.kek)
            if Task.isCancelled { return }
            switch outcome.result {
            case .success(nil):
                problem = nil
            case .success(let new?):
                problem = storeLocally([LocalSealing.Made(seal: new, problem: nil)], kek, by: candidate.member).problem
            case .failure(let error):
                // It is asked again when the backend is back.
                guard error.errorClass == .permanent else { return }
                problem = "\(error)"
                continue
            }
            break
        }
        if let problem {
            log(
                .warning, "a seal was not moved to the newest version of its key", ("backend", member.backend.name),
                ("kek", "\(kekID)"), ("recipient", recipientID), ("reason", problem))
        }
        state.withLock { state in
            state.keks[kekID]?.refreshProblems[recipientID] = problem
            state.keks[kekID]?.plan(.refresh, of: .init(candidate), pacing)
        }
    }
}
