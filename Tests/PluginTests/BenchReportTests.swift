import Glibc
import Testing

@testable import Plugin

@Suite("What bench prints")
struct BenchReportTests {
    private func measurement(_ operation: Command.Bench.Operation, _ calls: Int, errors: Int = 0) -> BenchMeasurement {
        BenchMeasurement(
            operation: operation, calls: calls, errors: errors, duration: .seconds(2), p50: .microseconds(120),
            p99: .microseconds(900), p999: .milliseconds(3))
    }

    @Test("is a table with ratios to the first operation")
    func table() {
        var status = measurement(.status, 20000)
        status.serverTime = .milliseconds(240)
        status.serverResident = 20_480_000
        var encrypt = measurement(.encrypt, 19000, errors: 2)
        encrypt.sampleError = "UNAVAILABLE: no backend"
        let report = BenchReport(socket: "/s", concurrency: 16, connections: 1, measurements: [status, encrypt])
        #expect(
            report.text == """
                /s: concurrency 16, connections 1
                OPERATION  OPS/S  RATIO  P50 µs  P99 µs  P99.9 µs  ERRORS  CPU µs/OP  RSS MB
                status     10000  1.00   120     900     3000      0       12.0       20.5
                encrypt    9500   0.95   120     900     3000      2
                encrypt: UNAVAILABLE: no backend

                """)
        #expect(report.json["operations"] != nil)
    }

    @Test("has no ratio for a single operation")
    func single() {
        let report = BenchReport(socket: "/s", concurrency: 1, connections: 1, measurements: [measurement(.status, 3)])
        #expect(report.text.hasSuffix("status     2             120     900     3000      0\n"))
    }

    @Test(
        "has rounded numbers",
        arguments: [
            (0.0, 1, "0.0"), (1.25, 1, "1.3"), (-0.04, 1, "0.0"), (-2.5, 0, "-3"), (0.005, 2, "0.01"), (1e300, 0, "-"),
            (12.0, 3, "12.000"),
        ])
    func numbers(_ number: Double, _ places: Int, _ text: String) {
        #expect(Decimal.format(number, places) == text)
    }

    @Test("reads a process' times and memory, whatever its name is")
    func usage() throws {
        let stat = "42 (a ) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 100 9999 30 1 1"
        #expect(
            ProcessUsage.parse(stat: stat, ticksPerSecond: 100, pageSize: 4096)
                == ProcessUsage(processorTime: .seconds(3), residentBytes: 30 * 4096))
        #expect(ProcessUsage.parse(stat: "42 (x) S 1", ticksPerSecond: 100, pageSize: 4096) == nil)
        #expect(try #require(ProcessUsage.of(pid: Int(getpid()))).residentBytes > 1_000_000)
        #expect(ProcessUsage.of(pid: Int(Int32.max)) == nil)
    }
}
