internal import Synchronization

/// A backend's circuit breaker: after a failure it is not asked for a while, whoever wants it, then one call may find out
/// how it does. While that one is under way, and after it has failed, all others get the last failure's reason at once.
/// The first success lets everybody in again.
///
/// A seal that does not open says nothing about the backend: it has answered.
final class Breaker: Sendable {
    /// The right to one call; each ends in `end` or `abandon`.
    struct Ticket: Sendable {
        /// Whether the call finds out how a failing backend does.
        let isAttempt: Bool
    }

    enum Admission: Sendable {
        case admitted(Ticket)
        /// Why the backend failed last.
        case refused(SealingError)
    }

    /// When a failing backend is asked next.
    enum NextAttempt: Sendable, Hashable {
        case after(Duration)
        /// One call finds out at this moment.
        case underWay
    }

    private struct State {
        /// `SealingBackend.pacesItself`.
        let pacesItself: Bool
        var history = CallHistory()
        /// Nil: closed, everybody is let in.
        var retryAt: ContinuousClock.Instant?
        var isTrying = false
        var observer: (@Sendable (CallHistory.Change, SealingError?) -> Void)?

        /// Opens the breaker, or keeps it open, for as long as the last failure asks for.
        mutating func wait(_ now: ContinuousClock.Instant, _ jitter: Double) {
            let pace = history.lastFailure?.error.errorClass ?? .retry
            let delay = Backoff.delay(after: history.failures, pace, pacesItself: pacesItself, factor: jitter)
            retryAt = now + delay
        }
    }

    private let pacing: Pacing
    private let state: Mutex<State>

    /// - Parameter pacesItself: `SealingBackend.pacesItself`.
    init(_ pacing: Pacing, pacesItself: Bool = true) {
        self.pacing = pacing
        state = Mutex(State(pacesItself: pacesItself))
    }

    var history: CallHistory { state.withLock { $0.history } }

    /// Nil while calls are let in.
    var nextAttempt: NextAttempt? {
        let now = pacing.now()
        return state.withLock { state in
            guard let retryAt = state.retryAt else { return nil }
            return state.isTrying ? .underWay : .after(max(.zero, retryAt - now))
        }
    }

    /// Tells `observer` of each failure of a backend that did well, and of its return.
    func observe(_ observer: @escaping @Sendable (CallHistory.Change, SealingError?) -> Void) {
        state.withLock { $0.observer = observer }
    }

    func admit() -> Admission {
        let now = pacing.now()
        return state.withLock { state in
            if let retryAt = state.retryAt {
                guard !state.isTrying, now >= retryAt else {
                    state.history.spared += 1
                    return .refused(state.history.lastFailure?.error ?? SealingError(.retry, "it has failed"))
                }
                state.isTrying = true
            }
            return .admitted(Ticket(isAttempt: state.retryAt != nil))
        }
    }

    /// Lets one call in now: an operator has done something about the backend and says so.
    func letOneIn() {
        let now = pacing.now()
        state.withLock { state in
            guard let retryAt = state.retryAt, !state.isTrying else { return }
            state.retryAt = min(retryAt, now)
        }
    }

    /// The backend is being asked.
    func begin() { state.withLock { $0.history.calls += 1 } }

    /// Notes how the call ended.
    func end(_ ticket: Ticket, _ error: SealingError?, latency: Duration) {
        let now = pacing.now()
        let jitter = pacing.jitter
        let (change, observer) = state.withLock { state in
            let change: CallHistory.Change
            if let error {
                // Of several calls that fail together the first one opens the breaker.
                let isAttempt = ticket.isAttempt || state.retryAt == nil
                change = state.history.failed(error, isAttempt: isAttempt, now: now)
                // A seal that does not open leaves the breaker as it is.
                if ticket.isAttempt || (isAttempt && error.errorClass != .permanent) { state.wait(now, jitter) }
            } else {
                change = state.history.succeeded(latency: latency, now: now)
                state.retryAt = nil
            }
            if ticket.isAttempt { state.isTrying = false }
            return (change, state.observer)
        }
        if change != .none { observer?(change, error) }
    }

    /// Notes that the call says nothing about the backend: nobody waited for its end, or it was not made.
    func abandon(_ ticket: Ticket) {
        guard ticket.isAttempt else { return }
        let now = pacing.now()
        let jitter = pacing.jitter
        state.withLock { state in
            state.isTrying = false
            if state.retryAt != nil { state.wait(now, jitter) }
        }
    }

    /// When to look at the backend again.
    func pause() -> Duration {
        switch nextAttempt {
        case nil: pacing.probeInterval * pacing.jitter
        case .after(let duration): duration
        case .underWay: Backoff.shortest * pacing.jitter
        }
    }
}
