internal import KMSServer
internal import Operations

/// What the KMS server has counted, for Prometheus. Every label is one of ours: methods that are not served are `unknown`.
enum ServerMetrics {
    private static let control = "/trousseau.control."

    static func write(_ statistics: ServerStatistics, to exposition: inout Exposition) {
        var requests: [String: [String: UInt64]] = [:]
        // Both sockets have unknown methods.
        for entry in statistics.requests where !entry.method.hasPrefix(control) {
            requests[entry.method, default: [:]][entry.code, default: 0] += entry.count
        }
        exposition.write(
            .counter, "trousseau_kms_requests_total", "Calls answered, by method and gRPC code.",
            requests.sorted { $0.key < $1.key }.flatMap { method, codes in
                codes.sorted { $0.key < $1.key }.map { code, count in
                    Exposition.Sample(["method": method, "code": code], count)
                }
            })
        exposition.write(
            "trousseau_kms_request_duration_seconds",
            "From a call's arrival to its answer, waits for a KEK included.",
            statistics.durations.map { entry in
                Exposition.Distribution(
                    ["method": entry.method], buckets(entry.histogram), sum: Double(entry.histogram.sum) / 1e9)
            })
        exposition.write(
            .gauge, "trousseau_connections", "Open connections, by socket.",
            [
                .init(["socket": "kms"], statistics.connections),
                .init(["socket": "control"], statistics.controlConnections),
            ])
        exposition.write(
            .counter, "trousseau_connections_accepted_total", "Connections let in, of both sockets.",
            [.init([:], statistics.acceptedConnections)])
        exposition.write(
            .counter, "trousseau_connections_refused_total", "Connections refused, of both sockets, by reason.",
            ServerStatistics.Refusal.allCases.map {
                .init(["reason": $0.rawValue], statistics.refused[$0] ?? 0)
            })
        exposition.write(
            .gauge, "trousseau_waiting_decrypts", "Decrypts that wait for a KEK to be opened.",
            [.init([:], statistics.coldCalls)])
    }

    private static func buckets(_ histogram: DurationHistogram) -> [(bound: Double, count: UInt64)] {
        let bounds = DurationHistogram.bounds.map { Double($0) / 1e9 } + [.infinity]
        return zip(bounds, histogram.counts).map { (bound: $0, count: $1) }
    }
}
