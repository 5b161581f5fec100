import KMSServer
import Keyring
import Operations
import TestSupport
import Testing

@testable import Plugin

@Suite("Metrics")
struct MetricsTests {
    private func kek(_ number: UInt8, _ role: KEKReport.Role, isOpen: Bool, _ seals: [SealReport]) throws -> KEKReport {
        KEKReport(
            generation: UInt64(number), kekID: try #require(KEKID([UInt8](repeating: number, count: 32))), role: role,
            created: 0, file: "f", isOpen: isOpen, seals: seals)
    }

    private func report(keks: Int, hostile: String = "") throws -> KeyringReport {
        var report = KeyringReport(name: "n", keyringID: [1], directory: "/d", state: KeyringState(.serving))
        report.keyID = "prod/1/aaaaaaaaaaaaaaaa/aaaaaaaa"
        let seals = [
            SealReport(recipientID: "r" + hostile, kind: "pkcs11", backend: "rack", state: .verified),
            SealReport(recipientID: "s", kind: "pkcs11", backend: "rack", state: .unverified, problem: "x" + hostile),
            SealReport(
                recipientID: "l", kind: "pkcs11", backend: "rack", isLocal: true, state: .verified,
                outdated: "x" + hostile),
            SealReport(recipientID: "t", kind: "x" + hostile, backend: nil, state: .otherNode),
            SealReport(recipientID: "u", kind: "tpm", backend: nil, state: .tombstone),
        ]
        report.keks = try (0..<keks).map { try kek(UInt8($0), .decryptsOnly, isOpen: $0 % 2 == 0, seals) }
        report.keks.append(try kek(200, .active, isOpen: true, seals))
        var backend = BackendReport(name: "rack", kind: "pkcs11", unsealOnly: false, state: .failing)
        backend.lastSuccess = .milliseconds(1500)
        backend.lastLatency = .milliseconds(20)
        backend.lastError = hostile
        backend.failures = [.retry: 7]
        var tpm = BackendReport(name: "node-tpm", kind: "tpm", unsealOnly: false, state: .ok)
        tpm.alarms = 3
        report.backends = [
            backend, BackendReport(name: "new", kind: "pkcs11", unsealOnly: false, state: .unknown), tpm,
        ]
        report.secureHeapUsed = 4096
        report.publicationSize = 300
        return report
    }

    private func text(_ report: KeyringReport, _ statistics: ServerStatistics = ServerStatistics()) throws
        -> ExpositionText
    {
        var exposition = Exposition()
        ServerMetrics.write(statistics, to: &exposition)
        KeyringMetrics.write(report, to: &exposition)
        return try ExpositionText(parsing: exposition.text)
    }

    @Test("say how keyring, seals and backends are")
    func keyring() throws {
        let text = try text(try report(keks: 3))
        #expect(text.value("trousseau_keyring_phase", ["phase": "serving"]) == 1)
        #expect(text.value("trousseau_keyring_phase", ["phase": "blocked"]) == 0)
        #expect(text.value("trousseau_kek_generation", ["role": "active"]) == 200)
        #expect(text.value("trousseau_kek_open", ["role": "active"]) == 1)
        #expect(text.value("trousseau_kek_open", ["role": "decryptsOnly"]) == 2)
        #expect(text.value("trousseau_kek_closed", ["role": "decryptsOnly"]) == 1)
        #expect(text.value("trousseau_seals", ["backend": "rack", "state": "verified"]) == 4)
        #expect(text.value("trousseau_seals", ["backend": "rack", "state": "failed"]) == 4)
        #expect(text.value("trousseau_seals", ["backend": "rack", "state": "missing"]) == 0)
        #expect(text.value("trousseau_seals", ["backend": "", "state": "otherNode"]) == 4)
        #expect(text.value("trousseau_local_seals", ["backend": "rack", "state": "verified"]) == 4)
        #expect(text.value("trousseau_local_seals", ["backend": "rack", "state": "missing"]) == 0)
        #expect(text.value("trousseau_outdated_seals", ["backend": "rack"]) == 4)
        #expect(text.value("trousseau_outdated_seals", ["backend": "new"]) == 0)
        #expect(text.value("trousseau_backend_up", ["backend": "rack", "kind": "pkcs11"]) == 0)
        #expect(text.value("trousseau_backend_up", ["backend": "new", "kind": "pkcs11"]) == nil)
        #expect(text.value("trousseau_backend_last_success_seconds", ["backend": "rack"]) == 1.5)
        #expect(text.value("trousseau_backend_last_latency_seconds", ["backend": "rack"]) == 0.02)
        #expect(text.value("trousseau_backend_failures_total", ["backend": "rack", "class": "retry"]) == 7)
        #expect(text.value("trousseau_backend_failures_total", ["backend": "new", "class": "permanent"]) == 0)
        #expect(text.value("trousseau_tpm_alarms_total", ["backend": "node-tpm"]) == 3)
        #expect(text.families["trousseau_tpm_alarms_total"]?.samples.count == 1)
        #expect(text.value("trousseau_secure_heap_bytes") == 4096)
        #expect(text.value("trousseau_publication_bytes") == 300)
    }

    @Test("show whose breaker is open, how often each backend was asked, and how often it was spared")
    func breakers() throws {
        var report = try report(keks: 0)
        var waits = BackendReport(name: "waits", kind: "vault", unsealOnly: false, state: .failing)
        (waits.nextTry, waits.calls, waits.sparedCalls) = (.seconds(3), 9, 70)
        var tried = BackendReport(name: "tried", kind: "tpm", unsealOnly: false, state: .failing)
        (tried.isBeingTried, tried.calls) = (true, 2)
        var well = BackendReport(name: "well", kind: "pkcs11", unsealOnly: false, state: .ok)
        (well.calls, well.lastSuccess, well.lastLatency) = (1, .zero, .microseconds(1500))
        report.backends = [waits, tried, well]
        let text = try text(report)
        func values(_ name: String) -> [Double?] {
            ["waits", "tried", "well"].map { text.value(name, ["backend": $0]) }
        }
        #expect(values("trousseau_backend_breaker_open") == [1, 1, 0])
        #expect(values("trousseau_backend_calls_total") == [9, 2, 1])
        #expect(values("trousseau_backend_spared_calls_total") == [70, 0, 0])
        #expect(values("trousseau_backend_last_success_seconds") == [nil, nil, 0])
        #expect(values("trousseau_backend_last_latency_seconds") == [nil, nil, 0.0015])
        #expect(text.value("trousseau_backend_up", ["backend": "waits", "kind": "vault"]) == 0)
        #expect(text.value("trousseau_backend_up", ["backend": "well", "kind": "pkcs11"]) == 1)
        #expect(text.value("trousseau_seals", ["backend": "well", "state": "verified"]) == 0)
    }

    @Test("have as many series whatever there is, and labels of ours only")
    func bounded() throws {
        let few = try text(try report(keks: 1))
        let many = try text(try report(keks: 150, hostile: "evil"))
        for (name, family) in many.families {
            #expect(family.samples.count == few.families[name]?.samples.count, "\(name)")
            for label in family.samples.flatMap(\.labels) { #expect(!label.value.contains("evil"), "\(name)") }
        }
        #expect(many.families.count == few.families.count)
    }

    @Test("hash the key_id as kube-apiserver does")
    func keyIDHash() {
        // The first example of FIPS 180-2.
        #expect(
            KeyringMetrics.keyIDHash("abc")
                == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test("add up the unknown methods of both sockets, and leave the control socket's out")
    func requests() throws {
        var statistics = ServerStatistics()
        statistics.requests = [
            .init(method: "/v2.KeyManagementService/Encrypt", code: "OK", count: 5),
            .init(method: "unknown", code: "UNIMPLEMENTED", count: 1),
            .init(method: "/trousseau.control.v1.Control/Status", code: "OK", count: 9),
            .init(method: "unknown", code: "UNIMPLEMENTED", count: 2),
        ]
        statistics.refused = [.silent: 3]
        let text = try text(try report(keks: 0), statistics)
        let name = "trousseau_kms_requests_total"
        #expect(text.value(name, ["method": "/v2.KeyManagementService/Encrypt", "code": "OK"]) == 5)
        #expect(text.value(name, ["method": "unknown", "code": "UNIMPLEMENTED"]) == 3)
        #expect(text.families[name]?.samples.count == 2)
        #expect(text.value("trousseau_connections_refused_total", ["reason": "silent"]) == 3)
    }

    @Test("have probes that say one line a fact")
    func probes() throws {
        #expect(Probes.ready(nil, nil) == Page.Answer(200, "ok\n"))
        let error = ServiceError(.unavailable, "no backend\nopens it")
        #expect(Probes.ready(error, nil) == Page.Answer(503, "no backend opens it\n"))
        let verbose = Probes.ready(nil, try report(keks: 0, hostile: "a\u{1b}[2J\nb"))
        #expect(
            verbose
                == Page.Answer(200, "ok\nbackend rack: failing: a [2J b\nbackend new: unknown\nbackend node-tpm: ok\n"))
    }

    @Test("are all in docs/operations.md, with their types and labels")
    func documentation() throws {
        let document = try Files.readText(PackageSources.root + "/docs/operations.md")
        let rows = document.split(separator: "\n").filter { $0.hasPrefix("| `") }
        var statistics = ServerStatistics()
        statistics.requests = [.init(method: "m", code: "OK", count: 1)]
        statistics.durations = [.init(method: "m", histogram: DurationHistogram())]
        for (name, family) in try text(try report(keks: 1), statistics).families {
            let row = rows.first { $0.contains("`\(name)`") }
            #expect(row?.contains("| \(family.kind) |") == true, "\(name)")
            for label in Set(family.samples.flatMap(\.labels).map(\.name)) where label != "le" {
                #expect(row?.contains("`\(label)`") == true, "\(name): \(label)")
            }
        }
    }
}
