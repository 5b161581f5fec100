internal import Synchronization

/// How KEKs come into memory.
extension KeyringService {
    /// What an opening begins with.
    private struct Job {
        let record: Record
        let roles: Roles
        /// In the order in which they are asked.
        let candidates: [SealCandidate]
        /// What is known without asking.
        let known: [ChainFailure.Attempt]
    }

    /// Opens the active KEK, however long it takes, and then says what is encrypted under.
    ///
    /// - Returns: false when the task was cancelled.
    func openActive() async -> Bool {
        var failures = 0
        while !Task.isCancelled {
            let trouble = failures > 0 ? refresh() : nil
            let active = state.withLock { $0.roles.active.kekID }
            var result: Result<OpenedKEK, Trouble>? = trouble.map { .failure($0) }
            if result == nil {
                await openTrusted(besides: active)
                result = await open(active, until: nil, isForced: true)
            }
            switch result {
            case .success(let kek):
                raiseHighest()
                await openPrepared()
                if publish() {
                    log(
                        .info, "serving", ("keyring", name), ("kek", "\(active)"), ("backend", kek.backend),
                        ("unseal", kek.latency.inMilliseconds))
                }
                // What is open decrypts, even if nothing may be encrypted.
                return true
            case .failure(let trouble):
                let phase: KeyringState.Phase = trouble.code == .unavailable ? .waiting : .blocked
                enter(KeyringState(phase, reason: trouble.reason, hint: trouble.hint))
                failures += 1
                let delay = retryDelay(after: failures, trouble.errorClass)
                log(
                    .warning, "the active KEK is not open", ("reason", trouble.reason), ("hint", trouble.hint ?? ""),
                    ("retry_in", delay.inMilliseconds))
                await pacing.pause(.retry, delay)
            case nil:
                return false
            }
        }
        return false
    }

    /// One attempt at the other KEKs that the operator's word makes trusted: they may vouch for the active one.
    private func openTrusted(besides active: KEKID) async {
        let identities = state.withLock { $0.keks.values.map(\.record.identity) }
        for identity in identities
        where identity.kekID != active && trustedKeyIDs.contains(where: { $0.names(identity) }) {
            _ = await open(identity.kekID, until: nil, isForced: true)
        }
    }

    /// A process that ended between the roles and `highest` left it too low.
    func raiseHighest() {
        let generation = state.withLock { $0.roles.active.generation }
        do throws(StoreError) {
            try store.withLock({ $0 })?.writeHighest(generation)
        } catch {
            log(.error, "the highest generation was not stored", ("reason", "\(error)"))
        }
    }

    /// One attempt, so that a node says the same key_id from its first answer on.
    private func openPrepared() async {
        guard let prepared = state.withLock({ $0.roles.prepared?.kekID }) else { return }
        _ = await open(prepared, until: nil, isForced: true)
    }

    /// Opens the other KEKs one after the other, those that fail again and again.
    func openOthers() async {
        var failures = 0
        while !Task.isCancelled {
            for kekID in state.withLock({ $0.closed }) {
                guard let result = await open(kekID, until: nil, isForced: true) else { return }
                if case .success = result, kekID == state.withLock({ $0.roles.prepared?.kekID }) { _ = publish() }
            }
            if state.withLock({ $0.closed.isEmpty && $0.damaged.isEmpty }) { return }
            failures += 1
            await pacing.pause(.retryOthers, retryDelay(after: failures, .retry))
            _ = refresh()
        }
    }

    /// When to try again: as soon as one of the backends that fail may be asked. If there is none, it is the files that
    /// have to change.
    private func retryDelay(after failures: Int, _ errorClass: SealingError.Class) -> Duration {
        let due = chain.members.filter(\.backend.canUnseal).compactMap { member -> Duration? in
            guard case .after(let duration) = member.breaker.nextAttempt, duration > .zero else { return nil }
            return duration
        }
        return due.min() ?? Backoff.delay(after: failures, errorClass, factor: pacing.jitter)
    }

    /// The KEK, opened by one task for all who ask for it.
    ///
    /// - Parameter isForced: ask the backends although they have failed only now.
    /// - Returns: nil when the deadline passed or the calling task was cancelled; the opening goes on.
    func open(
        _ kekID: KEKID, until: ContinuousClock.Instant?, isForced: Bool
    ) async -> Result<OpenedKEK, Trouble>? {
        let waiter = KEKState.Waiter()
        let now = pacing.now()
        let (ticket, step) = state.withLock { $0.join(kekID, waiter, isForced: isForced, now: now) }
        switch step {
        case .take(let result): return result
        case .wait: break
        case .start: Task { await self.performOpening(kekID) }
        }
        let result = await Deadline.wait(for: waiter, until: until)
        if result == nil { state.withLock { $0.keks[kekID]?.leave(ticket) } }
        return result
    }

    private func performOpening(_ kekID: KEKID) async {
        let outcome = await unseal(kekID)
        let (waiters, result) = change { $0.finish(kekID, outcome, pacing) }
        for waiter in waiters { waiter.finish(result) }
    }

    private func unseal(_ kekID: KEKID) async -> Result<OpenedKEK, Trouble> {
        let job: Job
        switch prepare(kekID) {
        case .success(let prepared): job = prepared
        case .failure(let trouble): return .failure(trouble)
        }
        let result = await chain.open(kekID, by: job.candidates) { candidate, outcome in
            guard let error = outcome.error, error.errorClass == .permanent else { return }
            // A state that may pass is asked for again, as slowly as everything that fails.
            if !error.mayPass { self.state.withLock { $0.keks[kekID]?.refuse(candidate, error, self.pacing) } }
            self.verified(kekID, KEKState.SealKey(candidate), by: candidate.member, problem: error.message)
        }
        switch result {
        case .success(let opened): return accept(opened, job)
        case .failure(var failure):
            failure.attempts = job.known + failure.attempts
            return .failure(Trouble(failure, kekID, job.record, chain))
        }
    }

    /// What may be asked for a KEK: no seal that was refused for good only a while ago, and no seal that anyone could have
    /// made, unless a KEK that this node trusts vouches for the record, or the operator does. Backends that fail come last.
    private func prepare(_ kekID: KEKID) -> Result<Job, Trouble> {
        let state = self.state.withLock { $0 }
        let now = pacing.now()
        guard !state.isShutDown, let kek = state.keks[kekID] else { return .failure(ServiceState.shutDown) }
        if let rejection = kek.rejection, rejection.record == kek.record, rejection.roles == state.roles {
            return .failure(rejection.trouble)
        }
        let floor = state.activeKEK?.trusted.identity.voucherFloor ?? 0
        let identity = kek.record.identity
        let isVouched =
            AdoptionRules.voucher(for: kek.record, among: state.trusted, floor: floor) != nil
            || trustedKeyIDs.contains { $0.names(identity) }
        var candidates: [SealCandidate] = []
        var known: [ChainFailure.Attempt] = []
        for candidate in chain.candidates(local: kek.local, shared: kek.record.liveSeals) {
            if let error = kek.refusal(of: candidate, now) {
                known.append(ChainFailure.Attempt(candidate: candidate, error: error))
            } else if !candidate.isAuthenticated && !isVouched {
                let error = SealingError(
                    .operatorMustAct,
                    "anyone could have made the seal to \(candidate.seal.recipient.id), and no KEK that this node "
                        + "trusts vouches for it",
                    hint: "bring back a backend whose seals only its own key can make, or, if this is the KEK whose "
                        + "key_id init printed (\(identity.keyring.name)/\(identity.generation)/\(identity.kekID)/...), "
                        + "write that key_id into keyring.trustedKeyIDs; trousseau recover with it is another way")
                known.append(ChainFailure.Attempt(candidate: candidate, error: error))
            } else {
                candidates.append(candidate)
            }
        }
        let isFailing = { (candidate: SealCandidate) in
            self.chain.members[candidate.member].breaker.history.state == .failing
        }
        candidates = candidates.filter { !isFailing($0) } + candidates.filter(isFailing)
        return .success(Job(record: kek.record, roles: state.roles, candidates: candidates, known: known))
    }

    /// Checks what only the KEK itself can check: its record's MAC, and that of the roles if it is the active one.
    private func accept(_ opened: ChainOpened, _ job: Job) -> Result<OpenedKEK, Trouble> {
        let identity = job.record.identity
        let backend = chain.members[opened.candidate.member].backend.name
        var reason: String?
        if !job.record.isAuthentic(under: opened.kek) {
            let file = "\(directory)/\(RecordFile.name(identity))"
            reason = "\(file) was altered: its MAC is not that of KEK \(identity.kekID)"
        } else if job.roles.active.kekID == identity.kekID, !job.roles.isAuthentic(under: opened.kek) {
            reason = "\(directory)/\(RolesFile.name) was altered: its MAC is not that of the active KEK"
        }
        guard reason == nil, let trusted = TrustedKEK(identity, opened.kek) else {
            let trouble = Trouble(
                .failedPrecondition, reason ?? "KEK \(identity.kekID) is another one than its record says",
                hint: "restore the file from a backup of the whole directory", .operatorMustAct)
            log(.error, "a file of the keyring was altered", ("kek", "\(identity.kekID)"), ("reason", trouble.reason))
            state.withLock { $0.keks[identity.kekID]?.rejection = (job.record, job.roles, trouble) }
            return .failure(trouble)
        }
        verified(identity.kekID, KEKState.SealKey(opened.candidate), by: opened.candidate.member, problem: nil)
        log(
            .info, "a KEK is open", ("kek", "\(identity.kekID)"), ("generation", "\(identity.generation)"),
            ("backend", backend), ("took", opened.latency.inMilliseconds))
        return .success(OpenedKEK(trusted, backend: backend, latency: opened.latency))
    }
}

extension KeyringService {
    /// How many wait for a KEK; nil when nobody opens it.
    func waiters(for kekID: KEKID) -> Int? {
        state.withLock { state in state.keks[kekID].flatMap { $0.isOpening ? $0.waiterCount : nil } }
    }
}
