internal import Crypto
internal import KMSServer

/// `trousseau bench`.
enum BenchCommand {
    /// Several operations take turns of about a second, five at most, rather than one after the other: what else
    /// happens on the machine then meets all of them, and their ratios mean something.
    private static let turn = Duration.seconds(1)
    private static let maximumTurns = 5

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
        var series: [BenchSeries] = []
        for (operation, method) in methods(options.operation) {
            if let one = try prepare(options, operation, method) { series.append(one) }
        }
        guard !series.isEmpty else { throw CommandFailure(.failure, "bench: the plugin has no KMS API") }
        let failure = measure(options, series)
        let measurements = series.filter { $0.result.duration > .zero }.map(\.measurement)
        if !measurements.isEmpty {
            let report = BenchReport(
                socket: options.socket, concurrency: options.concurrency, connections: options.connections,
                measurements: measurements)
            StandardStreams.write(options.output == .json ? report.json.text : report.text)
        }
        if let failure { throw failure }
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

    /// Nil for an operation that the plugin does not have and that nobody has named: few plugins have both APIs.
    private static func prepare(
        _ options: Command.Bench, _ operation: Command.Bench.Operation, _ method: LoadOperation.Method
    ) throws(CommandFailure) -> BenchSeries? {
        do throws(ClientError) {
            return try BenchSeries(options, operation, method)
        } catch {
            guard options.operation == .all, error.code == .unimplemented else { throw failure(operation, error) }
            StandardStreams.writeError("trousseau: bench: \(operation.rawValue) is left out: \(error.message)\n")
            return nil
        }
    }

    /// Nil when all turns were taken.
    private static func measure(_ options: Command.Bench, _ series: [BenchSeries]) -> CommandFailure? {
        let turns = series.count == 1 ? 1 : min(max(Int(options.duration / turn), 1), maximumTurns)
        for _ in 0..<turns {
            for one in series {
                do throws(ClientError) {
                    try one.run(for: options.duration / turns)
                } catch {
                    return failure(one.operation, error)
                }
            }
        }
        return nil
    }

    private static func failure(_ operation: Command.Bench.Operation, _ error: ClientError) -> CommandFailure {
        CommandFailure(
            error.code == .notReachable ? .notRunning : .failure, "bench: \(operation.rawValue): \(error.message)",
            hint: error.hint)
    }
}
