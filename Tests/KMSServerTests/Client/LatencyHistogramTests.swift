import Testing

@testable import KMSServer

@Suite("The histogram of latencies")
struct LatencyHistogramTests {
    @Test("is empty at first")
    func empty() {
        let histogram = LatencyHistogram()
        #expect(histogram.count == 0)
        #expect(histogram.quantile(0.5) == .zero)
    }

    @Test("puts every latency into a bucket that reaches less than 0.8 % above it", arguments: 0..<42)
    func buckets(_ exponent: UInt64) {
        let power: UInt64 = 1 << exponent
        for value in [power - 1, power, power + 1, power + power / 3, 2 * power - 1] {
            let value = min(value, LatencyHistogram.largest)
            let upper = LatencyHistogram.upperBound(ofBucket: LatencyHistogram.index(value))
            #expect(upper >= value)
            #expect(Double(upper - value) <= Double(value) / 127)
        }
    }

    @Test("has buckets without gaps and without overlaps")
    func partition() {
        let last = LatencyHistogram.index(LatencyHistogram.largest)
        #expect(LatencyHistogram.upperBound(ofBucket: last) == LatencyHistogram.largest)
        for index in 0..<last {
            let upper = LatencyHistogram.upperBound(ofBucket: index)
            #expect(LatencyHistogram.index(upper) == index)
            #expect(LatencyHistogram.index(upper + 1) == index + 1)
        }
    }

    @Test(
        "knows the quantiles of a uniform distribution",
        arguments: [(0.5, 500.0), (0.99, 990), (0.999, 999), (1, 1000), (0, 1)])
    func uniform(_ share: Double, _ microseconds: Double) {
        var histogram = LatencyHistogram()
        for value in (1...1000).shuffled() { histogram.record(nanoseconds: UInt64(value) * 1000) }
        let found = histogram.quantile(share) / .microseconds(1)
        #expect(found >= microseconds && found <= microseconds * 1.008)
    }

    @Test("tells a few slow answers from many fast ones")
    func outliers() {
        var histogram = LatencyHistogram()
        for _ in 0..<9980 { histogram.record(nanoseconds: 100) }
        for _ in 0..<20 { histogram.record(nanoseconds: 3_000_000_000) }
        #expect(histogram.quantile(0.5) == .nanoseconds(100))
        #expect(histogram.quantile(0.998) == .nanoseconds(100))
        // Never more than the longest latency that was seen.
        #expect(histogram.quantile(0.9981) == .seconds(3))
        #expect(histogram.count == 10000)
    }

    @Test("is the same whether its latencies were counted in one or in two")
    func sum() {
        var (whole, first, second) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
        for value: UInt64 in 0..<1000 {
            whole.record(nanoseconds: value * value)
            if value % 3 == 0 {
                first.record(nanoseconds: value * value)
            } else {
                second.record(nanoseconds: value * value)
            }
        }
        first.add(second)
        #expect(first == whole)
    }

    @Test("counts what is longer than an hour as an hour")
    func bound() {
        var histogram = LatencyHistogram()
        histogram.record(nanoseconds: .max)
        histogram.record(nanoseconds: 0)
        #expect(histogram.quantile(1) == .nanoseconds(Int64(LatencyHistogram.largest)))
        #expect(histogram.quantile(0.5) == .zero)
    }
}
