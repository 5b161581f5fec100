internal import Synchronization

/// The calls that a backend has not ended yet, those among them that nobody waits for any more. A backend that hangs is
/// not asked the same thing again, so that hung calls do not pile up.
final class OutstandingCalls: Sendable {
    /// One call under way. It ends with `end`, or with its last reference: a call that was never made must not count as
    /// one that has not returned.
    final class Call: Sendable {
        private let name: String
        private let calls: OutstandingCalls
        private let isOver = Mutex(false)

        fileprivate init(_ name: String, _ calls: OutstandingCalls) {
            self.name = name
            self.calls = calls
        }

        deinit { end() }

        /// It has returned. Once is enough: a later call of the same name is another one.
        func end() {
            let wasOver = isOver.withLock { isOver in
                defer { isOver = true }
                return isOver
            }
            if !wasOver { calls.states.withLock { $0[name] = nil } }
        }

        /// Its backend's failure is known.
        func note() {
            guard !isOver.withLock({ $0 }) else { return }
            calls.states.withLock { $0[name]?.isKnown = true }
        }
    }

    enum Beginning: Sendable {
        case begun(Call)
        /// One of this name has been running for so long.
        /// - isNews: it is overdue, and nobody has said so yet.
        case running(for: Duration, isNews: Bool)
    }

    private struct State {
        let since: ContinuousClock.Instant
        var isKnown = false
    }

    private let states = Mutex<[String: State]>([:])

    /// Begins a call, unless one of this name is under way.
    ///
    /// - Parameter limit: how long a call may take before it is overdue.
    func begin(_ name: String, overdueAfter limit: Duration, _ now: ContinuousClock.Instant = .now) -> Beginning {
        let running = states.withLock { states -> (Duration, Bool)? in
            guard let state = states[name] else {
                states[name] = State(since: now)
                return nil
            }
            let duration = now - state.since
            let isNews = duration > limit && !state.isKnown
            if isNews { states[name]?.isKnown = true }
            return (duration, isNews)
        }
        guard let (duration, isNews) = running else { return .begun(Call(name, self)) }
        return .running(for: duration, isNews: isNews)
    }
}
