/// What is done for a seal from time to time.
enum SealUpkeep: Sendable, Hashable {
    /// It is opened and compared.
    case verification
    /// It is moved to the newest version of its sealing key, if that is another one.
    case refresh
}

extension KEKState {
    /// When a seal was opened and compared last, by which backend, and why it did not open if it did not.
    struct Verification: Sendable {
        let at: ContinuousClock.Instant
        let backend: String
        let problem: String?
    }

    /// Whether it is time. What is asked for the first time gets its first time now.
    ///
    /// - Parameter delay: how long the first time is away.
    mutating func isDue(
        _ upkeep: SealUpkeep, of key: SealKey, _ now: ContinuousClock.Instant, firstAfter delay: () -> Duration
    ) -> Bool {
        let due = due[key]?[upkeep] ?? now + delay()
        self.due[key, default: [:]][upkeep] = due
        return now >= due
    }

    /// The next time is within a day.
    mutating func plan(_ upkeep: SealUpkeep, of key: SealKey, _ pacing: Pacing) {
        due[key, default: [:]][upkeep] = pacing.now() + pacing.verifyInterval * pacing.random(0.75...1)
    }

    /// Notes that a backend has opened a seal, or why it did not.
    mutating func note(_ key: SealKey, by backend: String, problem: String?, _ pacing: Pacing) {
        verifications[key] = Verification(at: pacing.now(), backend: backend, problem: problem)
        plan(.verification, of: key, pacing)
    }

    /// The seal is gone.
    mutating func forget(_ key: SealKey) {
        verifications[key] = nil
        due[key] = nil
    }

    /// This node's newer version of a seal of the record, if there is one.
    func refreshed(_ recipientID: String) -> Seal? {
        guard record.entry(for: recipientID) != nil else { return nil }
        return local.first { $0.recipient.id == recipientID }
    }

    /// The local seals that a backend has asked for, or once had: none that stands for one of the record.
    func localSeals(of backend: any SealingBackend) -> [Seal] {
        local.filter { backend.serves($0.recipient) && record.entry(for: $0.recipient.id) == nil }
    }
}
