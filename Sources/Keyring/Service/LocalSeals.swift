internal import Synchronization

/// The seals that stay on this node.
extension KeyringService {
    /// Makes those local seals of the open KEKs that the backend wants and that are not there: a KEK that was opened
    /// through a seal which anyone could have made opens through the device's own from then on.
    ///
    /// A device gets them only when it has just opened the same KEK, or when an operator's command has made the recipient
    /// known: whoever put a device of his own in its place would get the KEK.
    func sealLocally(_ index: Int) async {
        let member = chain.members[index]
        guard !member.unsealOnly, member.backend.canUnseal, let wanted = await localRecipients(index), !wanted.isEmpty
        else { return }
        for kek in state.withLock({ $0.open }) {
            if Task.isCancelled { return }
            let missing = missingLocally(kek, index, wanted)
            guard !missing.isEmpty else { continue }
            guard await sealLocally(kek, index, missing) else { return }
        }
    }

    /// Told once, and again when the backend has been away.
    private func localRecipients(_ index: Int) async -> [Recipient]? {
        if let known = state.withLock({ $0.health[index].localRecipients }) { return known }
        let told = await chain.members[index].localRecipients()
        if Task.isCancelled { return nil }
        guard case .success(let recipients) = told.result else { return nil }
        state.withLock { $0.health[index].localRecipients = recipients }
        return recipients
    }

    /// The wanted recipients of this node that the KEK has no seal to; all of them when none of its seals opens.
    func missingLocally(_ kek: OpenedKEK, _ index: Int, _ wanted: [Recipient]) -> [Recipient] {
        let now = pacing.now()
        guard let state = state.withLock({ $0.keks[kek.trusted.identity.kekID] }),
            !(state.localRefusals[index]?.holds(now) ?? false)
        else { return [] }
        let own = state.localSeals(of: chain.members[index].backend)
        let areBroken =
            !own.isEmpty
            && own.allSatisfy {
                state.verifications[KEKState.SealKey($0.recipient.id, isLocal: true)]?.problem != nil
            }
        return areBroken ? wanted : wanted.filter { one in !own.contains { $0.recipient.id == one.id } }
    }

    /// - Returns: whether the backend is worth another call.
    private func sealLocally(_ kek: OpenedKEK, _ index: Int, _ recipients: [Recipient]) async -> Bool {
        let member = chain.members[index]
        let kekID = kek.trusted.identity.kekID
        var isOpened = false
        if !isKnown(index, recipients) {
            switch await openOne(kek, index) {
            case .success(let name):
                guard name != nil else {
                    let reason = "it opens no seal of KEK \(kekID): run trousseau reseal, which seals to its key"
                    refuseLocally(kekID, index, SealingError(.permanent, reason))
                    return true
                }
                isOpened = true
            case .failure: return false
            }
        }
        let made = await member.makeLocalSeals(
            kek.trusted.kek, to: recipients, besideAnOpenedOne: isOpened || hasOpenedLocally(kekID, index))
        if Task.isCancelled { return false }
        if let failure = storeLocally(made.made, kek, by: index).problem {
            refuseLocally(kekID, index, SealingError(.permanent, failure))
            return true
        }
        if made.error == nil, !hasOpenedLocally(kekID, index), let problem = made.made.lazy.compactMap(\.problem).first
        {
            // They are kept, and tried after a while; made anew every minute they would be no better.
            refuseLocally(kekID, index, SealingError(.permanent, problem))
        }
        if let error = made.error {
            guard error.errorClass == .permanent else {
                log(
                    .error, "a node-local seal was not made", ("backend", member.backend.name), ("kek", "\(kekID)"),
                    ("reason", "\(error)"))
                return false
            }
            refuseLocally(kekID, index, error)
        }
        return true
    }

    /// Whether an operator's command has made all of them known; for a backend that `init` did not reach and that has no
    /// others the first ones are.
    private func isKnown(_ index: Int, _ recipients: [Recipient]) -> Bool {
        let state = self.state.withLock { $0 }
        let backend = chain.members[index].backend
        guard let active = state.activeKEK, let known = pins(active)?.recipients(of: backend.name) else { return false }
        guard known.isEmpty else { return recipients.allSatisfy { known.contains($0.id) } }
        guard state.health[index].recipients == [], let record = state.keks[active.trusted.identity.kekID]?.record,
            orphans(
                record, kind: backend.kind,
                besides: { recipient in
                    chain.members.indices.contains { $0 != index && chain.members[$0].backend.serves(recipient) }
                }
            ).isEmpty, pin([Pins.Entry(backend.name, recipients.map(\.id))], active) == nil
        else { return false }
        log(
            .warning, "a backend that init did not reach has told its sealing key for the first time",
            ("backend", backend.name), ("recipient", recipients.map(\.id).joined(separator: ", ")))
        return true
    }

    /// Opens any seal of the KEK by this backend.
    ///
    /// - Returns: the recipient's ID; nil when there is no seal that opens.
    func openOne(
        _ kek: OpenedKEK, _ index: Int, until: ContinuousClock.Instant? = nil
    ) async -> Result<String?, SealingError> {
        let kekID = kek.trusted.identity.kekID
        guard let state = state.withLock({ $0.keks[kekID] }) else { return .success(nil) }
        for candidate in chain.candidates(local: state.local, shared: state.record.liveSeals)
        where candidate.member == index {
            let opened = await chain.members[index].verify(candidate.seal, is: kek.trusted.kek, until: until)
            guard let error = opened.error else {
                verified(kekID, KEKState.SealKey(candidate), by: index, problem: nil)
                return .success(candidate.seal.recipient.id)
            }
            guard error.errorClass == .permanent else { return .failure(error) }
        }
        return .success(nil)
    }

    /// Whether this process has opened a local seal of the KEK by this backend.
    func hasOpenedLocally(_ kekID: KEKID, _ index: Int) -> Bool {
        guard let kek = state.withLock({ $0.keks[kekID] }) else { return false }
        return kek.localSeals(of: chain.members[index].backend).contains { seal in
            kek.isVerified(KEKState.SealKey(seal.recipient.id, isLocal: true))
        }
    }

    private func refuseLocally(_ kekID: KEKID, _ index: Int, _ error: SealingError) {
        log(
            .error, "a node-local seal was not made", ("backend", chain.members[index].backend.name),
            ("kek", "\(kekID)"), ("reason", "\(error)"))
        state.withLock { $0.keks[kekID]?.refuseLocally(index, error, pacing) }
    }

    /// Puts seals that count into `local/`: on the disk first, then in memory. One that has not opened takes no other
    /// one's place: that may be the one that opens.
    ///
    /// - Parameter index: of the member that has made them.
    /// - Returns: the recipients of those that were stored, and why others were not that should have been.
    func storeLocally(
        _ seals: [LocalSealing.Made], _ kek: OpenedKEK, by index: Int
    ) -> (stored: Set<String>, problem: String?) {
        let kekID = kek.trusted.identity.kekID
        let there = Set(state.withLock { $0.keks[kekID]?.local ?? [] }.map(\.recipient.id))
        var stored: Set<String> = []
        for made in seals where made.isVerified || !there.contains(made.seal.recipient.id) {
            let failure = changeLocally { (store) throws(StoreError) in
                try store.writeLocalSeal(made.seal)
            } then: { state in
                state.keks[kekID]?.local.removeAll { $0.recipient.id == made.seal.recipient.id }
                state.keks[kekID]?.local.append(made.seal)
            }
            if let failure { return (stored, failure) }
            stored.insert(made.seal.recipient.id)
            verified(
                kekID, KEKState.SealKey(made.seal.recipient.id, isLocal: true), by: index, problem: made.problem)
            log(
                .info, "a node-local seal was made", ("kek", "\(kekID)"), ("recipient", made.seal.recipient.id),
                ("opened", made.isVerified ? "yes" : "not yet"))
        }
        return (stored, nil)
    }

    /// Removes a local seal.
    ///
    /// - Returns: why it was not; nil when it was.
    func dropLocally(_ seal: Seal) -> String? {
        changeLocally { (store) throws(StoreError) in
            try store.removeLocalSeal(seal)
        } then: { state in
            state.keks[seal.kekID]?.local.removeAll { $0.recipient.id == seal.recipient.id }
            state.keks[seal.kekID]?.forget(KEKState.SealKey(seal.recipient.id, isLocal: true))
        }
    }

    private func changeLocally(
        _ body: (KeyringStore) throws(StoreError) -> Void, then: (inout ServiceState) -> Void
    ) -> String? {
        changing.withLock { _ -> String? in
            guard let store = store.withLock({ $0 }) else { return "the plugin is shutting down" }
            do throws(StoreError) {
                try body(store)
            } catch {
                return "\(error.path): \(error.reason)"
            }
            state.withLock { then(&$0) }
            return nil
        }
    }
}
