/// When background work happens. Tests put their own clock and waits here.
struct Pacing: Sendable {
    /// What the service waits for.
    enum Pause: Sendable, Hashable {
        /// Another attempt at the active KEK.
        case retry
        /// Another attempt at the other KEKs.
        case retryOthers
        /// The next look at the backend of this index.
        case maintenance(Int)
    }

    /// The clock of ages and due times.
    var now: @Sendable () -> ContinuousClock.Instant = { .now }
    /// Waits that long, or until the task is cancelled.
    var pause: @Sendable (Pause, Duration) async -> Void = { _, duration in try? await Task.sleep(for: duration) }
    /// A random number of the range.
    var random: @Sendable (ClosedRange<Double>) -> Double = { Double.random(in: $0) }

    /// A backend that nobody asked for so long is probed.
    var probeInterval = Duration.seconds(30)
    /// A missing seal is filled after a random time of this many seconds, so that one node does it for all.
    var healDelay = 60.0...300.0
    /// A seal that works is opened again after so long at most, and looked at for a newer version of its key.
    var verifyInterval = Duration.seconds(86400)
    /// The active KEK's seals are looked at for newer versions of their keys after this many seconds, so that the nodes do
    /// not come all at once.
    var refreshDelay = 60.0...900.0
    /// Status may repeat an answer that is not older.
    var statusAge = Duration.seconds(1)

    /// A factor around 1.
    var jitter: Double { random(0.75...1.25) }
}
