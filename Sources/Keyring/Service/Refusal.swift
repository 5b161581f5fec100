/// That something was refused for good, as far as is known, and when to ask again: a device's state may change without
/// anybody saying so here.
struct Refusal: Sendable {
    let error: SealingError
    /// In a row.
    let times: Int
    let askAt: ContinuousClock.Instant

    /// - Parameter before: the last one, if it was refused then, too.
    init(_ error: SealingError, after before: Refusal?, _ pacing: Pacing) {
        self.error = error
        times = (before?.times ?? 0) + 1
        askAt = pacing.now() + Backoff.refusal(after: times, factor: pacing.jitter)
    }

    /// Whether it still stands.
    func holds(_ now: ContinuousClock.Instant) -> Bool { now < askAt }
}
