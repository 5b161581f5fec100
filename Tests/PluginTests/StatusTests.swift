import Keyring
import Testing

@testable import Plugin

@Suite("What status says")
struct StatusTests {
    private static let backends: [BackendReport] = {
        var well = BackendReport(name: "rack-hsm", kind: "pkcs11", unsealOnly: false, state: .ok)
        well.calls = 12
        well.lastSuccess = .milliseconds(3700)
        well.lastLatency = .microseconds(4567)
        // It has recovered: the error is history.
        well.lastError = "C_Decrypt: CKR_DEVICE_ERROR"
        well.lastErrorHint = "look at the HSM"
        well.lastErrorClass = .reopen
        well.lastErrorAge = .seconds(7300)
        var failing = BackendReport(name: "vault", kind: "vault", unsealOnly: true, state: .failing)
        failing.calls = 5
        failing.sparedCalls = 40
        failing.nextTry = .milliseconds(11_200)
        failing.lastSuccess = .seconds(3 * 86400)
        failing.lastLatency = .milliseconds(120)
        failing.lastError = "503: Vault is sealed"
        failing.lastErrorHint = "unseal it"
        failing.lastErrorClass = .retry
        failing.lastErrorAge = .seconds(19)
        failing.failures = [.retry: 5]
        var tried = BackendReport(name: "node-tpm", kind: "tpm", unsealOnly: false, state: .failing)
        tried.isBeingTried = true
        tried.calls = 1
        tried.lastError = "no answer in time"
        tried.lastErrorClass = .retry
        tried.lastErrorAge = .seconds(2)
        let new = BackendReport(name: "recovery", kind: "recovery", unsealOnly: false, state: .unknown)
        return [well, failing, tried, new]
    }()

    private static func report() throws -> KeyringReport {
        var report = KeyringReport(name: "prod", keyringID: [1], directory: "/d", state: KeyringState(.serving))
        report.keyID = "prod/1/aaaaaaaaaaaaaaaa/aaaaaaaa"
        report.backends = backends
        report.keks = [
            KEKReport(
                generation: 1, kekID: try #require(KEKID([UInt8](repeating: 7, count: 32))), role: .active, created: 0,
                file: "1-prod.record", isOpen: true,
                seals: [
                    SealReport(
                        recipientID: "pkcs11:a", kind: "pkcs11", backend: "rack-hsm", state: .verified,
                        age: .seconds(130)),
                    SealReport(
                        recipientID: "tpm:b", kind: "tpm", backend: "node-tpm", isLocal: true, state: .unverified,
                        problem: "PCR 7 has another value"),
                    SealReport(
                        recipientID: nil, kind: "vault", backend: "vault", state: .missing, problem: "not made yet"),
                    SealReport(recipientID: "tpm:c", kind: "tpm", backend: nil, state: .otherNode),
                    SealReport(recipientID: "pkcs11:d", kind: "pkcs11", backend: nil, state: .tombstone),
                ])
        ]
        return report
    }

    private static func json() throws -> JSONValue {
        StatusJSON.running(try report(), nil, StatusJSON.Process(pid: 42, uptime: .seconds(61)))
    }

    /// The lines of a section of the text, its header first.
    private func rows(_ title: String) throws -> [String] {
        let lines = StatusText.render(try StatusTests.json()).split(
            separator: "\n", omittingEmptySubsequences: false
        ).map(String.init)
        let start = try #require(lines.firstIndex(of: title))
        return Array(lines[(start + 1)...].prefix { !$0.isEmpty })
    }

    private func members(_ name: String) throws -> JSONValue {
        let backends = try StatusTests.json()["backends"]?.items ?? []
        return try #require(backends.first { $0["name"]?.string == name })
    }

    @Test("JSON has a backend's state, calls, last success, latency and last error with its hint")
    func backendMembers() throws {
        let well = try members("rack-hsm")
        #expect(well["state"]?.string == "ok" && well["kind"]?.string == "pkcs11")
        #expect(well["calls"]?.integer == 12 && well["sparedCalls"]?.integer == 0)
        #expect(well["lastSuccessSecondsAgo"]?.integer == 3)
        #expect(well["lastLatencyMilliseconds"]?.double == 4.57)
        #expect(well["lastError"]?.string == "C_Decrypt: CKR_DEVICE_ERROR")
        #expect(well["lastErrorHint"]?.string == "look at the HSM")
        #expect(well["lastErrorClass"]?.string == "reopen")
        #expect(well["lastErrorSecondsAgo"]?.integer == 7300)
        for absent in ["unsealOnly", "nextTryMilliseconds", "beingTried"] { #expect(well[absent] == nil, "\(absent)") }

        let failing = try members("vault")
        #expect(failing["state"]?.string == "failing" && failing["unsealOnly"] == .bool(true))
        #expect(failing["calls"]?.integer == 5 && failing["sparedCalls"]?.integer == 40)
        #expect(failing["nextTryMilliseconds"]?.double == 11200)
        #expect(failing["lastErrorClass"]?.string == "retry" && failing["lastErrorSecondsAgo"]?.integer == 19)
        #expect(try members("node-tpm")["beingTried"] == .bool(true))

        let new = try members("recovery")
        #expect(new["state"]?.string == "unknown" && new["calls"]?.integer == 0)
        for absent in [
            "lastSuccessSecondsAgo", "lastLatencyMilliseconds", "lastError", "lastErrorHint", "lastErrorClass",
            "lastErrorSecondsAgo",
        ] { #expect(new[absent] == nil, "\(absent)") }
    }

    @Test("text has a row a backend, and what to do about each that fails")
    func backendRows() throws {
        #expect(
            try rows("BACKENDS") == [
                "NAME      KIND      STATE                                    ANSWERED  MS     LAST ERROR",
                "rack-hsm  pkcs11    ok                                       3 s ago   4.6    "
                    + "C_Decrypt: CKR_DEVICE_ERROR (2 h ago)",
                "vault     vault     failing, next try in 12 s, unseals only  3 d ago   120.0  "
                    + "503: Vault is sealed (19 s ago)",
                "node-tpm  tpm       failing, being tried                     never            "
                    + "no answer in time (2 s ago)",
                "recovery  recovery  unknown                                  never",
            ])
        let problems = StatusText.render(try StatusTests.json()).split(separator: "\n").filter {
            $0.hasPrefix("! backend ")
        }
        #expect(
            problems == ["! backend vault: 503: Vault is sealed; unseal it", "! backend node-tpm: no answer in time"])
    }

    @Test("JSON has a seal's state, age, problem, and whether it is this node's")
    func sealMembers() throws {
        let seals = try #require(try StatusTests.json()["keks"]?.items?.first?["seals"]?.items)
        #expect(seals.map { $0["state"]?.string } == ["verified", "unverified", "missing", "otherNode", "tombstone"])
        #expect(seals.map { $0["recipient"]?.string } == ["pkcs11:a", "tpm:b", nil, "tpm:c", "pkcs11:d"])
        #expect(seals.map { $0["backend"]?.string } == ["rack-hsm", "node-tpm", "vault", nil, nil])
        #expect(seals.map { $0["verifiedSecondsAgo"]?.integer } == [130, nil, nil, nil, nil])
        #expect(
            seals.map { $0["problem"]?.string } == [nil, "PCR 7 has another value", "not made yet", nil, nil])
        #expect(seals.map { $0["local"] == .bool(true) } == [false, true, false, false, false])
    }

    @Test("text has a row a seal, with the backend that has verified it and when, and what is wrong with the others")
    func sealRows() throws {
        let table = try rows("SEALS")
        #expect(table.count == 6 && table[0].hasPrefix("GENERATION"))
        let words = [
            ["1", "rack-hsm", "pkcs11:a", "verified", "2 m ago"], ["node-tpm", "tpm:b", "unverified, this node's"],
            ["vault", "vault", "missing"], ["tpm:c", "other node"], ["pkcs11:d", "tombstone"],
        ]
        for (row, words) in zip(table.dropFirst(), words) {
            for word in words { #expect(row.contains(word), "\(row)") }
            #expect(row.contains(" ago") == (words.last == "2 m ago"), "\(row)")
        }
        let text = StatusText.render(try StatusTests.json())
        let kek = try #require(try StatusTests.json()["keks"]?.items?.first?["kekID"]?.string)
        #expect(text.contains("! the seal of KEK \(kek) to node-tpm: PCR 7 has another value\n"), "\(text)")
        #expect(text.contains("! the seal of KEK \(kek) to vault: not made yet\n"), "\(text)")
    }

    @Test("of the files, when no plugin runs: as many rows a seal, and nothing that only a process could know")
    func files() throws {
        var report = try StatusTests.report()
        report.backends = []
        let json = StatusJSON.files(report)
        #expect(json["running"] == .bool(false) && json["pid"] == nil && json["requests"] == nil)
        let text = StatusText.render(json)
        #expect(text.contains("not running: this is what the files say"))
        #expect(!text.contains("BACKENDS") && text.contains("\nSEALS\n"))
    }
}
