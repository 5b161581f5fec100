/// What `bench` measured of one operation.
struct BenchMeasurement: Equatable {
    let operation: Command.Bench.Operation
    /// Calls answered rightly, and those that failed.
    let calls: Int
    let errors: Int
    let duration: Duration
    /// Times of right answers.
    let p50: Duration
    let p99: Duration
    let p999: Duration
    /// One of the errors.
    var sampleError: String?
    /// With --pid: what the server used for all calls.
    var serverTime: Duration?
    /// With --pid: after the run, in bytes.
    var serverResident: Int?

    var callsPerSecond: Double { Double(calls) / max(duration.secondsAsDouble, 1e-9) }

    var serverMicrosecondsPerCall: Double? {
        serverTime.map { $0.secondsAsDouble * 1e6 / Double(max(calls, 1)) }
    }
}

/// The measurements of one run of `bench`, to be printed.
struct BenchReport {
    let socket: String
    let concurrency: Int
    let connections: Int
    let measurements: [BenchMeasurement]

    var text: String {
        var table = Table(
            "OPERATION", "OPS/S", "RATIO", "P50 µs", "P99 µs", "P99.9 µs", "ERRORS", "CPU µs/OP", "RSS MB")
        for measurement in measurements {
            table.add(
                measurement.operation.rawValue, Decimal.format(measurement.callsPerSecond, 0),
                ratio(measurement).map { Decimal.format($0, 2) } ?? "",
                Decimal.format(measurement.p50.microseconds, 0), Decimal.format(measurement.p99.microseconds, 0),
                Decimal.format(measurement.p999.microseconds, 0), String(measurement.errors),
                measurement.serverMicrosecondsPerCall.map { Decimal.format($0, 1) } ?? "",
                measurement.serverResident.map { Decimal.format(Double($0) / 1e6, 1) } ?? "")
        }
        let errors = measurements.compactMap { measurement in
            measurement.sampleError.map { "\(measurement.operation.rawValue): \($0)\n" }
        }
        return "\(socket): concurrency \(concurrency), connections \(connections)\n" + table.text + errors.joined()
    }

    var json: JSONValue {
        .members(
            ("socket", .string(socket)), ("concurrency", .integer(Int64(concurrency))),
            ("connections", .integer(Int64(connections))),
            (
                "operations",
                .array(
                    measurements.map { measurement in
                        .members(
                            ("operation", .string(measurement.operation.rawValue)),
                            ("calls", .integer(Int64(measurement.calls))),
                            ("errors", .integer(Int64(measurement.errors))),
                            ("error", measurement.sampleError.map(JSONValue.string)),
                            ("seconds", .number(measurement.duration.secondsAsDouble)),
                            ("callsPerSecond", .number(measurement.callsPerSecond)),
                            ("ratio", ratio(measurement).map(JSONValue.number)),
                            ("p50Microseconds", .number(measurement.p50.microseconds)),
                            ("p99Microseconds", .number(measurement.p99.microseconds)),
                            ("p999Microseconds", .number(measurement.p999.microseconds)),
                            ("serverMicrosecondsPerCall", measurement.serverMicrosecondsPerCall.map(JSONValue.number)),
                            ("serverResidentBytes", measurement.serverResident.map { .integer(Int64($0)) }))
                    })
            ))
    }

    /// To the first operation of the run; nil where there is nothing to compare.
    private func ratio(_ measurement: BenchMeasurement) -> Double? {
        guard measurements.count > 1, let first = measurements.first, first.callsPerSecond > 0 else { return nil }
        return measurement.callsPerSecond / first.callsPerSecond
    }
}

/// Numbers for tables.
enum Decimal {
    /// With `places` digits after the point, rounded.
    static func format(_ number: Double, _ places: Int) -> String {
        let scale = (0..<places).reduce(1.0) { scale, _ in scale * 10 }
        guard number.isFinite, abs(number * scale) < 9e15 else { return "-" }
        let scaled = Int64((abs(number) * scale).rounded())
        let sign = number < 0 && scaled != 0 ? "-" : ""
        guard places > 0 else { return sign + String(scaled) }
        let digits = String(scaled)
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        return "\(sign)\(padded.dropLast(places)).\(padded.suffix(places))"
    }
}

extension Duration {
    var secondsAsDouble: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
    var microseconds: Double { secondsAsDouble * 1e6 }
}
