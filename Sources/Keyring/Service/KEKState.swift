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
    /// Seals that did not open with the member they were tried with.
    private var refused: [SealCandidate: Refusal] = [:]
    var verifications: [SealKey: Verification] = [:]
    /// When they are to be looked after next.
    var due: [SealKey: [SealUpkeep: ContinuousClock.Instant]] = [:]
    /// Why seals of the record were not moved to the newest version of their keys, by their recipients' IDs.
    var refreshProblems: [String: String] = [:]
    /// Members whose local seals could not be made.
    private(set) var localRefusals: [Int: Refusal] = [:]
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

    /// Notes that a seal was refused for good: it is left alone for a while.
    mutating func refuse(_ candidate: SealCandidate, _ error: SealingError, _ pacing: Pacing) {
        refused[candidate] = Refusal(error, after: refused[candidate], pacing)
    }

    /// Why a seal is not to be tried now; nil when it is.
    func refusal(of candidate: SealCandidate, _ now: ContinuousClock.Instant) -> SealingError? {
        refused[candidate].flatMap { $0.holds(now) ? $0.error : nil }
    }

    /// Notes that a member's local seals could not be made, or with nil that they were.
    mutating func refuseLocally(_ member: Int, _ error: SealingError?, _ pacing: Pacing) {
        localRefusals[member] = error.map { Refusal($0, after: localRefusals[member], pacing) }
    }

    /// A backend that came back may be another device: what it refused may open now.
    mutating func forgetRefusals(of member: Int) {
        refused = refused.filter { $0.key.member != member }
        localRefusals[member] = nil
    }

    /// An operator wants everything to be tried now.
    mutating func forgetRefusals() {
        refused = [:]
        localRefusals = [:]
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
