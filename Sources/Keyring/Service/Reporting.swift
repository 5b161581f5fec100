internal import Crypto
internal import Synchronization

/// What `status` shows of a running plugin.
extension KeyringService {
    /// Everything that is known; waits for no device.
    public func report() -> KeyringReport {
        let state = self.state.withLock { $0 }
        let now = pacing.now()
        let keyring = state.roles.keyring
        var report = KeyringReport(
            name: keyring.name, keyringID: keyring.keyringID, directory: directory, state: state.phase)
        report.keyID = state.active?.publication.keyID
        report.keks = state.keks.values.map { kek($0, state, now) }.sorted {
            if $0.generation != $1.generation { return $0.generation < $1.generation }
            return $0.kekID.bytes.lexicographicallyPrecedes($1.kekID.bytes)
        }
        report.backends = chain.members.indices.map { backend($0, now) }
        report.damagedFiles = state.damaged
        report.publicationSize = state.publication?.encoded.count
        report.requests = counters.counts
        report.secureHeapUsed = SecureHeap.used
        report.warnings = warnings(report, state.roles)
        return report
    }

    /// Why a Status would be refused now; nil when it would be answered. Unlike a Status it is not counted.
    public func unreadiness() -> ServiceError? {
        let snapshot = self.snapshot.withLock { $0 }
        guard let active = snapshot.active else { return snapshot.refusal }
        do throws(ServiceError) {
            try active.check(now: pacing.now(), age: pacing.statusAge)
            return nil
        } catch {
            return error
        }
    }

    private func backend(_ index: Int, _ now: ContinuousClock.Instant) -> BackendReport {
        let member = chain.members[index]
        let history = member.breaker.history
        var report = BackendReport(
            name: member.backend.name, kind: member.backend.kind, unsealOnly: member.unsealOnly, state: history.state)
        switch member.breaker.nextAttempt {
        case nil: break
        case .after(let duration): report.nextTry = duration
        case .underWay: report.isBeingTried = true
        }
        report.calls = history.calls
        report.sparedCalls = history.spared
        report.lastSuccess = history.lastSuccess.map { now - $0 }
        report.lastLatency = history.lastLatency
        report.failures = history.failureCounts
        report.alarms = (member.backend as? any MeasuredBackend)?.alarms
        if let failure = history.lastFailure {
            report.lastError = failure.error.message
            report.lastErrorHint = failure.error.hint
            report.lastErrorClass = failure.error.errorClass
            report.lastErrorAge = now - failure.at
        }
        return report
    }

    private func kek(_ kek: KEKState, _ state: ServiceState, _ now: ContinuousClock.Instant) -> KEKReport {
        let identity = kek.record.identity
        let role = KEKReport.Role(identity.kekID, state.roles)
        var report = KEKReport(
            generation: identity.generation, kekID: identity.kekID, role: role, created: identity.created,
            file: kek.file, isOpen: kek.opened != nil)
        report.openedBy = kek.opened?.backend
        report.openingTook = kek.opened?.latency
        report.problem = kek.trouble?.reason
        report.hint = kek.trouble?.hint
        report.seals = kek.local.map { seal(kek, $0, isLocal: true, state, now) }
        for entry in kek.record.seals {
            guard let shared = entry.seal(of: identity.kekID) else {
                report.seals.append(
                    SealReport(recipientID: entry.recipientID, kind: entry.kind, backend: nil, state: .tombstone))
                continue
            }
            report.seals.append(seal(kek, shared, isLocal: false, state, now))
        }
        if role == .active { report.seals += missing(kek, state) }
        return report
    }

    private func seal(
        _ kek: KEKState, _ seal: Seal, isLocal: Bool, _ state: ServiceState, _ now: ContinuousClock.Instant
    ) -> SealReport {
        let member = chain.members.indices.first { chain.members[$0].backend.serves(seal.recipient) }
        var report = SealReport(
            recipientID: seal.recipient.id, kind: seal.recipient.kind,
            backend: member.map { chain.members[$0].backend.name }, isLocal: isLocal,
            state: member == nil ? .otherNode : .unverified)
        report.outdated = outdated(kek, seal, isLocal: isLocal, state)
        if !isLocal, let problem = kek.refreshProblems[seal.recipient.id] {
            report.outdated = "not moved to the newest version of its key: \(problem)"
        }
        if let last = kek.verifications[KEKState.SealKey(seal.recipient.id, isLocal: isLocal)] {
            if let problem = last.problem {
                report.problem = problem
            } else {
                report.state = .verified
                report.age = now - last.at
                report.verifiedBy = last.backend
            }
        }
        return report
    }

    /// Why `reseal` would put another seal in this one's place, or remove it; nil when it would not.
    private func outdated(_ kek: KEKState, _ seal: Seal, isLocal: Bool, _ state: ServiceState) -> String? {
        if !isLocal, kek.refreshed(seal.recipient.id) != nil {
            return "this node has one under a newer version of the key in \(LocalSealFile.directory)/; run "
                + "trousseau reseal, which publishes it"
        }
        let sealing = chain.members.indices.filter {
            !chain.members[$0].unsealOnly && chain.members[$0].backend.serves(seal.recipient)
        }
        let currencies = sealing.compactMap { index -> (SealCurrency, any SealingBackend)? in
            guard let shared = state.health[index].recipients else { return nil }
            return SealCurrency(
                seal.recipient, isLocal: isLocal, shared: shared, local: state.health[index].localRecipients
            ).map { ($0, chain.members[index].backend) }
        }
        guard let first = currencies.first, !currencies.contains(where: { $0.0 == .current }) else { return nil }
        return first.0.problem(first.1)
    }

    private func missing(_ kek: KEKState, _ state: ServiceState) -> [SealReport] {
        chain.members.indices.filter { !chain.members[$0].unsealOnly }.flatMap { index -> [SealReport] in
            let backend = chain.members[index].backend
            let health = state.health[index]
            let lastError = chain.members[index].breaker.history.lastFailure?.error.message
            let local = kek.localSeals(of: backend)
            var reports: [SealReport] = []
            let isShared = kek.record.liveSeals.contains { backend.serves($0.recipient) }
            // A backend whose seals all stay on this node has told so, or has one.
            if !isShared, health.recipients.map({ !$0.isEmpty }) ?? local.isEmpty {
                reports.append(
                    SealReport(
                        recipientID: health.recipients?.first?.id, kind: backend.kind, backend: backend.name,
                        state: .missing, problem: health.healingProblem ?? lastError))
            }
            for recipient in health.localRecipients ?? []
            where !local.contains(where: { $0.recipient.id == recipient.id }) {
                reports.append(
                    SealReport(
                        recipientID: recipient.id, kind: backend.kind, backend: backend.name, isLocal: true,
                        state: .missing, problem: kek.localRefusals[index]?.error.message ?? lastError))
            }
            return reports
        }
    }

    private func warnings(_ report: KeyringReport, _ roles: Roles) -> [String] {
        var warnings: [String] = []
        if let active = report.keks.first(where: { $0.role == .active }) {
            // Those that open nothing here: they do not help a start, so they do not count.
            let offline = chain.members.filter { !$0.backend.canUnseal }.map(\.backend.name)
            let there = active.seals.filter {
                [.verified, .unverified, .otherNode].contains($0.state) && !($0.isLocal && $0.backend == nil)
            }
            // Several seals to one backend of this node are worth one.
            let names = Set(there.compactMap(\.backend)).subtracting(offline)
            let count = names.count + there.count { $0.backend == nil }
            if count < minimumSeals {
                warnings.append("the active KEK has \(count) seals, \(minimumSeals) are wanted (minimumSeals)")
            }
            if !there.contains(where: { !$0.isLocal }) {
                warnings.append(
                    "all seals of the active KEK are in \(directory)/\(LocalSealFile.directory): without that folder "
                        + "nothing opens it, nor what etcd carries")
            }
            for seal in active.seals where seal.state == .missing {
                guard let name = seal.backend, offline.contains(name) else { continue }
                warnings.append("the active KEK is not sealed to \(name): no recovery with its key yet")
            }
        }
        for case let backend as any MeasuredBackend in chain.members.map(\.backend) {
            warnings += backend.notices.map { "backend \(backend.name): \($0)" }
        }
        for backend in report.backends {
            guard let alarms = backend.alarms, alarms > 0 else { continue }
            warnings.append(
                "backend \(backend.name): \(alarms) answers in its device's name were not made by the device: somebody on "
                    + "the bus may have changed them, look at the hardware")
        }
        if let size = report.publicationSize, size > Publication.warningSize {
            warnings.append(
                "every object in etcd carries \(size) bytes of sealed keys, more than \(Publication.warningSize)")
        }
        for kek in report.keks where !kek.isOpen && kek.role != .active && kek.problem != nil {
            warnings.append("what was encrypted under KEK \(kek.kekID) cannot be read")
        }
        if let prepared = roles.prepared, !report.keks.contains(where: { $0.kekID == prepared.kekID }) {
            warnings.append("the record of the prepared KEK \(prepared.kekID) is missing or damaged")
        }
        return warnings
    }
}
