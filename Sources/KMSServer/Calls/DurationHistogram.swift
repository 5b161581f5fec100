/// How long calls took, in buckets that Prometheus adds up over nodes: 50 µs and more, up to the 3 s after which
/// kube-apiserver gives up.
public struct DurationHistogram: Sendable, Equatable {
    /// Nanoseconds: a bucket counts what took at most so long, and longer than the bound before. One more is for the
    /// rest.
    public static let bounds: [UInt64] = [
        50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000,
        100_000_000, 250_000_000, 500_000_000, 1_000_000_000, 2_000_000_000, 3_000_000_000,
    ]

    /// How many calls, by bucket.
    public private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    /// Of all calls, in nanoseconds.
    public private(set) var sum: UInt64 = 0

    /// Nothing counted yet.
    public init() {}

    /// Counts one call. Takes no memory: it is in the way of every answer.
    mutating func record(nanoseconds: UInt64) {
        // Nearly all calls are in the first buckets: faster than a binary search.
        var bucket = 0
        while bucket < DurationHistogram.bounds.count, nanoseconds > DurationHistogram.bounds[bucket] { bucket += 1 }
        counts[bucket] += 1
        sum &+= nanoseconds
    }
}
