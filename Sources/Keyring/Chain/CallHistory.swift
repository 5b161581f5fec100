/// How one backend has done so far: of every call to it, not only of probes.
struct CallHistory: Sendable {
    /// What a call's end has changed.
    enum Change: Sendable { case none, failed, recovered }

    private(set) var state = BackendReport.State.unknown
    private(set) var lastSuccess: ContinuousClock.Instant?
    private(set) var lastLatency: Duration?
    private(set) var lastFailure: (error: SealingError, at: ContinuousClock.Instant)?
    /// In a row: attempts at a backend that fails.
    private(set) var failures = 0
    /// Calls that the backend was asked, since the start.
    var calls: UInt64 = 0
    /// Calls that it was spared because it had failed only now, since the start.
    var spared: UInt64 = 0
    /// Since the start, by class.
    private(set) var failureCounts: [SealingError.Class: UInt64] = [:]

    mutating func succeeded(latency: Duration, now: ContinuousClock.Instant) -> Change {
        let change: Change = state == .failing ? .recovered : .none
        state = .ok
        lastSuccess = now
        lastLatency = latency
        failures = 0
        return change
    }

    /// - Parameter isAttempt: whether the call was to find out how the backend does; others that began before it failed
    ///   say nothing new.
    mutating func failed(_ error: SealingError, isAttempt: Bool, now: ContinuousClock.Instant) -> Change {
        failureCounts[error.errorClass, default: 0] += 1
        // It did answer, and has nothing to mend: the seal is what is wrong.
        if error.errorClass == .permanent { return .none }
        let change: Change = state == .failing ? .none : .failed
        state = .failing
        lastFailure = (error, now)
        if isAttempt { failures += 1 }
        return change
    }

    /// Whether nobody has heard of it for so long.
    func isSilent(for interval: Duration, _ now: ContinuousClock.Instant) -> Bool {
        guard state == .ok, let lastSuccess else { return true }
        return now - lastSuccess >= interval
    }
}
