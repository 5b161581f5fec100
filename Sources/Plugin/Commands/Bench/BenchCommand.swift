internal import Crypto
internal import KMSServer

/// `trousseau bench`.
enum BenchCommand {
    /// As kube-apiserver's.
    private static let timeout = Duration.seconds(3)
    /// Not counted: connections settle, caches and branch predictors fill.
    private static let warmUp = Duration.milliseconds(300)

    static func run(_ options: Command.Bench) throws(CommandFailure) -> ExitCode {
        if let pid = options.pid, ProcessUsage.of(pid: pid) == nil {
            throw CommandFailure(.failure, "bench: --pid \(pid): there is no such process")
        }
        do throws(CryptoError) {
            // What it encrypts is no secret.
            try SecureHeap.initialize(allowUnlocked: true)
        } catch {
            throw CommandFailure(.failure, "bench: \(error)")
        }
        var measurements: [BenchMeasurement] = []
        var failure: CommandFailure?
        for (operation, method) in methods(options.operation) {
            do throws(ClientError) {
                measurements.append(try measure(options, operation, method))
            } catch {
                // Few plugins have both APIs.
                if options.operation == .all, error.code == .unimplemented {
                    StandardStreams.writeError(
                        "trousseau: bench: \(operation.rawValue) is left out: \(error.message)\n")
                    continue
                }
                failure = CommandFailure(
                    error.code == .notReachable ? .notRunning : .failure,
                    "bench: \(operation.rawValue): \(error.message)", hint: error.hint)
                break
            }
        }
        if !measurements.isEmpty {
            let report = BenchReport(
                socket: options.socket, concurrency: options.concurrency, connections: options.connections,
                measurements: measurements)
            StandardStreams.write(options.output == .json ? report.json.text : report.text)
        }
        if let failure { throw failure }
        guard !measurements.isEmpty else { throw CommandFailure(.failure, "bench: the plugin has no KMS API") }
        return measurements.contains { $0.errors > 0 } ? .failure : .success
    }

    private static func methods(
        _ operation: Command.Bench.Operation
    ) -> [(Command.Bench.Operation, LoadOperation.Method)] {
        switch operation {
        case .status: [(.status, .status)]
        case .encrypt: [(.encrypt, .encrypt)]
        case .decrypt: [(.decrypt, .decrypt)]
        case .v1Encrypt: [(.v1Encrypt, .v1Encrypt)]
        case .v1Decrypt: [(.v1Decrypt, .v1Decrypt)]
        case .all: [.status, .encrypt, .decrypt, .v1Encrypt, .v1Decrypt].flatMap(methods)
        }
    }

    private static func measure(
        _ options: Command.Bench, _ operation: Command.Bench.Operation, _ method: LoadOperation.Method
    ) throws(ClientError) -> BenchMeasurement {
        let generator = try LoadGenerator(
            try LoadOperation(method, socket: options.socket, timeout: timeout), socket: options.socket,
            concurrency: options.concurrency, connections: options.connections, timeout: timeout)
        _ = generator.run(for: min(warmUp, options.duration))
        let before = options.pid.flatMap(ProcessUsage.of)
        let result = generator.run(for: options.duration)
        let after = options.pid.flatMap(ProcessUsage.of)
        var measurement = BenchMeasurement(
            operation: operation, calls: result.calls, errors: result.errors, duration: result.duration,
            p50: result.latencies.quantile(0.5), p99: result.latencies.quantile(0.99),
            p999: result.latencies.quantile(0.999), sampleError: result.sampleError)
        if let before, let after { measurement.serverTime = after.processorTime - before.processorTime }
        measurement.serverResident = after?.residentBytes
        return measurement
    }
}
