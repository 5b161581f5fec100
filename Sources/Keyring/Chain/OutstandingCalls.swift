internal import Synchronization

/// The calls that a backend has not ended yet, those among them that nobody waits for any more. A backend that hangs is
/// not asked the same thing again, so that hung calls do not pile up.
final class OutstandingCalls: Sendable {
    private let calls = Mutex<[String: ContinuousClock.Instant]>([:])

    /// - Returns: how long a call of this name has been running, or nil: then this one has begun.
    func begin(_ name: String, _ now: ContinuousClock.Instant = .now) -> Duration? {
        calls.withLock { calls in
            if let since = calls[name] { return now - since }
            calls[name] = now
            return nil
        }
    }

    func end(_ name: String) {
        calls.withLock { $0[name] = nil }
    }
}
