/// What a load generator counted.
public struct LoadResult: Sendable, Equatable {
    /// Calls answered rightly.
    public internal(set) var calls = 0
    /// Calls that failed, and attempts to connect again that did.
    public internal(set) var errors = 0
    /// The first error, fit for a terminal.
    public internal(set) var sampleError: String?
    /// From the first call to the last answer; the sum over all runs.
    public internal(set) var duration = Duration.zero
    /// Times of the right answers.
    public internal(set) var latencies = LatencyHistogram()

    /// Of no run yet.
    public init() {}

    /// Adds what another run of the same operation counted.
    public mutating func add(_ other: LoadResult) {
        calls += other.calls
        errors += other.errors
        sampleError = sampleError ?? other.sampleError
        duration += other.duration
        latencies.add(other.latencies)
    }

    mutating func countError(_ text: @autoclosure () -> String) {
        errors += 1
        if sampleError == nil { sampleError = text() }
    }
}
