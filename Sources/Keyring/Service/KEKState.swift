/// What the service knows of one KEK that has a record on disk.
struct KEKState: Sendable {
    /// A seal of a KEK, shared or local.
    struct SealKey: Sendable, Hashable {
        let recipientID: String
        let isLocal: Bool

        init(_ candidate: SealCandidate) {
            recipientID = candidate.seal.recipient.id
            isLocal = candidate.isLocal
        }

        init(_ recipientID: String, isLocal: Bool) {
            self.recipientID = recipientID
            self.isLocal = isLocal
        }
    }

    /// When a seal was opened and compared last, and why it did not open if it did not.
    struct Verification: Sendable {
        let at: ContinuousClock.Instant
        let problem: String?
    }

    /// One who waits for the KEK.
    typealias Waiter = Race<Result<OpenedKEK, Trouble>?>

    /// What one who wants the KEK has to do.
    enum Step: Sendable {
        case take(Result<OpenedKEK, Trouble>)
        /// Somebody opens it already.
        case wait
        /// Open it, then tell everybody.
        case start
    }

    let file: String
    var record: Record
    var local: [Seal]
    private(set) var opened: OpenedKEK?
    private(set) var trouble: Trouble?
    private(set) var failures = 0
    /// Not to be asked for before, except by the background.
    private(set) var retryAt: ContinuousClock.Instant?
    /// Seals that will never open with the member they were tried with, and why.
    var refused: [SealCandidate: SealingError] = [:]
    var verifications: [SealKey: Verification] = [:]
    /// Members whose local seals could not be made, for good as far as is known, and why.
    var localRefusals: [Int: String] = [:]
    /// A record, or the roles that name it, that did not fit the KEK: not to be opened again as long as they are the same.
    var rejection: (record: Record, roles: Roles, trouble: Trouble)?
    private(set) var isOpening = false
    private var waiters: [UInt64: Waiter] = [:]

    init(_ stored: StoredRecord, local: [Seal]) {
        file = stored.file
        record = stored.record
        self.local = local
    }

    /// Whether this process has opened the seal, when it was tried last.
    func isVerified(_ key: SealKey) -> Bool { verifications[key].map { $0.problem == nil } ?? false }

    /// Lines up for the KEK.
    ///
    /// - Parameter isForced: ask the backends although the last attempt has failed only now.
    mutating func join(
        _ id: UInt64, _ waiter: Waiter, isForced: Bool, now: ContinuousClock.Instant
    ) -> Step {
        if let opened { return .take(.success(opened)) }
        if !isOpening, !isForced, let trouble, let retryAt, now < retryAt { return .take(.failure(trouble)) }
        waiters[id] = waiter
        if isOpening { return .wait }
        isOpening = true
        return .start
    }

    var waiterCount: Int { waiters.count }

    /// Waits no longer.
    mutating func leave(_ id: UInt64) { waiters[id] = nil }

    /// Notes how the opening ended.
    ///
    /// - Returns: those who are to be told.
    mutating func finish(_ result: Result<OpenedKEK, Trouble>, _ pacing: Pacing) -> [Waiter] {
        isOpening = false
        switch result {
        case .success(let kek):
            opened = kek
            trouble = nil
            failures = 0
            retryAt = nil
            refused = [:]
        case .failure(let trouble):
            self.trouble = trouble
            failures += 1
            retryAt = pacing.now() + Backoff.delay(after: failures, trouble.errorClass, factor: pacing.jitter)
        }
        defer { waiters = [:] }
        return Array(waiters.values)
    }

    /// A backend that came back may be another device: what it refused may open now.
    mutating func forgetRefusals(of member: Int) {
        refused = refused.filter { $0.key.member != member }
        localRefusals[member] = nil
    }

    /// Forgets the KEK.
    ///
    /// - Returns: those who wait for it.
    mutating func close() -> [Waiter] {
        opened = nil
        trouble = nil
        defer { waiters = [:] }
        return Array(waiters.values)
    }
}
