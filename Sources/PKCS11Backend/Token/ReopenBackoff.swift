/// When the module may be made anew: at once, then after 1, 2, 4 … 30 s, each with jitter, so that the nodes that share
/// an HSM do not come back at the same moment.
struct ReopenBackoff: Sendable {
    private let longest: Duration
    private var delay = Duration.seconds(1)
    private var next: ContinuousClock.Instant?

    init(longest: Duration = .seconds(30)) {
        self.longest = longest
    }

    /// How long to wait yet; nil when it may be tried now.
    func remaining(_ now: ContinuousClock.Instant = .now) -> Duration? {
        guard let next, next > now else { return nil }
        return next - now
    }

    mutating func attempted(_ now: ContinuousClock.Instant = .now) {
        next = now + min(delay, longest) * Double.random(in: 0.75...1.25)
        delay = min(delay * 2, longest)
    }

    /// After a call that succeeded.
    mutating func succeeded(_ now: ContinuousClock.Instant = .now) {
        delay = .seconds(1)
        if let remaining = remaining(now), remaining > delay { next = now + delay }
    }

    /// Lost by no fault of its own: it may be tried now.
    mutating func excused() { next = nil }
}
