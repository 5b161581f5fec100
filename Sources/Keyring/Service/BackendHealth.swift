/// How one backend has done so far: of every call to it, not only of probes.
struct BackendHealth: Sendable {
    /// What a call's end has changed.
    enum Change: Sendable { case none, failed, recovered }

    private(set) var state = BackendReport.State.unknown
    private(set) var lastSuccess: ContinuousClock.Instant?
    private(set) var lastLatency: Duration?
    private(set) var lastFailure: (error: SealingError, at: ContinuousClock.Instant)?
    private(set) var failures = 0
    /// Since the start, by class.
    private(set) var failureCounts: [SealingError.Class: UInt64] = [:]
    /// Its sealing key, once it has told it.
    var recipients: [Recipient]?
    /// Its recipients of this node, once it has told them and as long as it has not been away.
    var localRecipients: [Recipient]?
    /// Why its missing seal could not be made.
    var healingProblem: String?
    /// When its missing seal is to be made.
    var healAt: ContinuousClock.Instant?

    /// Notes how a call ended.
    mutating func note(_ error: SealingError?, latency: Duration, now: ContinuousClock.Instant) -> Change {
        guard let error else {
            let change: Change = state == .failing ? .recovered : .none
            if change == .recovered { localRecipients = nil }
            state = .ok
            lastSuccess = now
            lastLatency = latency
            failures = 0
            return change
        }
        failureCounts[error.errorClass, default: 0] += 1
        // It did answer, and has nothing to mend: the seal is what is wrong.
        if error.errorClass == .permanent { return .none }
        let change: Change = state == .failing ? .none : .failed
        state = .failing
        lastFailure = (error, now)
        failures += 1
        return change
    }

    /// Whether nobody has heard of it for so long.
    func isSilent(for interval: Duration, _ now: ContinuousClock.Instant) -> Bool {
        guard state == .ok, let lastSuccess else { return true }
        return now - lastSuccess >= interval
    }

    /// When to look at it again.
    func pause(_ pacing: Pacing) -> Duration {
        guard state == .failing, let error = lastFailure?.error else { return pacing.probeInterval * pacing.jitter }
        return Backoff.delay(after: failures, error.errorClass, factor: pacing.jitter)
    }
}
