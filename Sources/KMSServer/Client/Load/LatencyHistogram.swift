/// How often which latency was seen: log-linear buckets, whose values differ by less than 0.8 %, in 36 kB whatever is
/// recorded.
public struct LatencyHistogram: Sendable, Equatable {
    /// Buckets an octave: 128.
    private static let precision = 7
    /// Longer latencies count as this long, a little over an hour.
    static let largest: UInt64 = (1 << 42) - 1

    private var buckets = [UInt64](repeating: 0, count: index(largest) + 1)
    /// How many latencies were recorded.
    public private(set) var count: UInt64 = 0
    /// The longest one, in nanoseconds.
    private(set) var maximum: UInt64 = 0

    /// Nothing recorded yet.
    public init() {}

    /// Counts one latency.
    public mutating func record(nanoseconds: UInt64) {
        let value = min(nanoseconds, LatencyHistogram.largest)
        buckets[LatencyHistogram.index(value)] += 1
        count += 1
        if value > maximum { maximum = value }
    }

    /// Counts all latencies that another one has counted.
    public mutating func add(_ other: LatencyHistogram) {
        for index in buckets.indices { buckets[index] += other.buckets[index] }
        count += other.count
        maximum = max(maximum, other.maximum)
    }

    /// The latency that a share of all did not exceed: 0.5 is the median. Zero when nothing was recorded.
    public func quantile(_ share: Double) -> Duration {
        guard count > 0 else { return .zero }
        let rank = UInt64(max(1, (min(max(share, 0), 1) * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for (index, number) in buckets.enumerated() {
            seen += number
            if seen >= rank {
                return .nanoseconds(Int64(min(LatencyHistogram.upperBound(ofBucket: index), maximum)))
            }
        }
        return .nanoseconds(Int64(maximum))
    }

    /// Below 256 a bucket a nanosecond; above, the seven bits that follow the highest one choose it.
    static func index(_ value: UInt64) -> Int {
        let exponent = UInt64.bitWidth - 1 - value.leadingZeroBitCount
        let shift = max(0, exponent - precision)
        return shift << precision + Int(value >> UInt64(shift))
    }

    /// The largest value that a bucket counts.
    static func upperBound(ofBucket index: Int) -> UInt64 {
        let shift = max(0, index >> precision - 1)
        return (UInt64(index - shift << precision) + 1) << UInt64(shift) - 1
    }
}
