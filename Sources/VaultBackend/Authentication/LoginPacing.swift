/// When a node logs in again, and looks after its token. Tests put their own clock and waits here.
struct LoginPacing: Sendable {
    /// The clock of leases and pauses.
    var now: @Sendable () -> ContinuousClock.Instant = { .now }
    /// Waits that long, or until the task is cancelled.
    var pause: @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) }
    /// A random number of the range.
    var random: @Sendable (ClosedRange<Double>) -> Double = { Double.random(in: $0) }

    /// Vault locks a role for 15 minutes, for all who use it, after five refusals of which no two are 15 minutes apart:
    /// after three attempts the pauses are longer than that.
    static let firstPause = Duration.seconds(300)
    static let longestPause = Duration.seconds(2400)

    /// How long nothing is tried after so many attempts that were no use; from 0.
    func pause(after attempts: Int) -> Duration {
        min(LoginPacing.firstPause * (1 << min(attempts, 8)), LoginPacing.longestPause) * random(1...1.25)
    }
}

/// Attempts that were no use, and when the next one may be made.
struct Futility: Sendable {
    private var attempts = 0
    private var last: ContinuousClock.Instant?
    private var until: ContinuousClock.Instant?

    /// Another one was.
    ///
    /// - Returns: how long nothing is tried now.
    mutating func add(_ pacing: LoginPacing) -> Duration {
        let now = pacing.now()
        if let last, now - last > LoginPacing.longestPause * 2 { attempts = 0 }
        let pause = pacing.pause(after: attempts)
        attempts += 1
        last = now
        until = now + pause
        return pause
    }

    /// Whether it is too early.
    func isOn(_ pacing: LoginPacing) -> Bool { until.map { $0 > pacing.now() } ?? false }
}
