internal import KMSServer

/// One operation that `bench` measures, in one or more runs.
final class BenchSeries {
    /// As kube-apiserver's.
    private static let timeout = Duration.seconds(3)
    /// Not counted: connections settle, caches fill.
    private static let warmUp = Duration.milliseconds(200)

    let operation: Command.Bench.Operation
    private let load: LoadOperation
    private let options: Command.Bench
    private(set) var result = LoadResult()
    private var serverTime: Duration?
    private var serverResident: Int?

    /// Asks the plugin once.
    init(
        _ options: Command.Bench, _ operation: Command.Bench.Operation, _ method: LoadOperation.Method
    ) throws(ClientError) {
        self.options = options
        self.operation = operation
        load = try LoadOperation(method, socket: options.socket, timeout: BenchSeries.timeout)
    }

    /// Connects, warms up and measures. The connections end with it: plugins have limits for those, too.
    func run(for duration: Duration) throws(ClientError) {
        let generator = try LoadGenerator(
            load, socket: options.socket, concurrency: options.concurrency, connections: options.connections,
            timeout: BenchSeries.timeout)
        _ = generator.run(for: min(BenchSeries.warmUp, duration))
        let before = options.pid.flatMap(ProcessUsage.of)
        result.add(generator.run(for: duration))
        let after = options.pid.flatMap(ProcessUsage.of)
        if let before, let after {
            serverTime = (serverTime ?? .zero) + (after.processorTime - before.processorTime)
            serverResident = after.residentBytes
        }
    }

    var measurement: BenchMeasurement {
        BenchMeasurement(
            operation: operation, calls: result.calls, errors: result.errors, duration: result.duration,
            p50: result.latencies.quantile(0.5), p99: result.latencies.quantile(0.99),
            p999: result.latencies.quantile(0.999), sampleError: result.sampleError, serverTime: serverTime,
            serverResident: serverResident)
    }
}
