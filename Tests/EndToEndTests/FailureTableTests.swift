import Glibc
import TestSupport
import Testing

/// The table of docs/failures.md with real devices: SoftHSM, Vault's stand-in and swtpm, each of them up, down, slow, lying
/// or with wrong credentials.
@Suite("The failure table with real devices", .serialized)
struct FailureTableTests {
    typealias Condition = Device.Condition

    /// All are up, one of them is not, or none is.
    static let chosen = Condition.combinations.filter { conditions in
        let ups = conditions.count { $0 == .up }
        return ups >= 2 || Set(conditions).count == 1
    }

    @Test("at a start: all 125 combinations")
    func start() async throws {
        try await Table.with { table in
            let record = try Snapshot(of: table.devices.node.keyring)
            let pins = ["/tpm/", "/pin-guard/"]
            for conditions in Condition.combinations {
                try await table.devices.play(conditions)
                try table.configure(conditions)
                let plugin = try await table.devices.node.serve()
                if let opener = conditions.firstIndex(of: .up) {
                    try await table.expectServing(conditions)
                    #expect(try await table.opener() == table.devices.all[opener].name, "\(conditions)")
                } else {
                    try await table.expectWaiting(conditions)
                }
                #expect(plugin.process.isRunning, "\(conditions)")
                // Before the end, so that it need not wait for a call that hangs.
                try await table.devices.mend()
                #expect(try await plugin.stop().exit == .code(0), "\(conditions)")
                let changed = try record.changes.filter { path in !pins.contains { path.contains($0) } }
                #expect(changed == [], "\(conditions)")
            }
            try await table.devices.expectNothingLost(table.server)
        }
    }

    @Test("in service: all 125 combinations")
    func service() async throws {
        try await Table.with { table in
            try table.configure([.up, .up, .up])
            let plugin = try await table.devices.node.serve()
            try await table.server.ask("boot", ["within": 60])
            let keyID = try await table.server.ask("status")["keyID"].string
            for conditions in Condition.combinations {
                try await table.devices.play(conditions)
                try await table.expectServing(conditions)
                #expect(try await table.server.ask("status")["keyID"].string == keyID, "\(conditions)")
                #expect(plugin.process.isRunning, "\(conditions)")
            }
            try await table.devices.mend()
            #expect(try await plugin.stop().exit == .code(0))
            try await table.devices.expectNothingLost(table.server)
        }
    }

    @Test("at reseal, by a running plugin and on the files", arguments: [true, false])
    func reseal(_ isRunning: Bool) async throws {
        try await Table.with { table in
            let node = table.devices.node
            for conditions in FailureTableTests.chosen {
                try table.configure(conditions)
                var plugin: RunningPlugin?
                if isRunning {
                    plugin = try await node.serve()
                    try await table.server.ask("boot", ["within": 60])
                    try await table.devices.expectAllWell(within: .seconds(60))
                }
                try await table.devices.play(conditions)
                let result = try await node.run("reseal", ["--output", "json"])
                // A token is logged in to once: another PIN in its file is noticed by the next login.
                let seen = isRunning && conditions[0] == .wrongCredentials ? [.up] + conditions.dropFirst() : conditions
                let ups = seen.count { $0 == .up }
                #expect(
                    result.exit == .code(ups == 3 ? 0 : ups == 0 && !isRunning ? 4 : 1), "\(conditions): \(result.text)"
                )
                if ups > 0 || isRunning {
                    let rows = try JSON(parsing: result.output)["seals"].array
                    for (device, condition) in zip(table.devices.all, seen) {
                        let outcomes = rows.filter { $0["backend"].string == device.name }.map { $0["outcome"].string }
                        #expect(outcomes == [condition == .up ? "kept" : "failed"], "\(conditions): \(result.output)")
                    }
                }
                if isRunning { try await table.expectServing(conditions) }
                try await table.devices.mend()
                if let plugin { #expect(try await plugin.stop().exit == .code(0), "\(conditions)") }
            }
            try await table.devices.expectNothingLost(table.server)
        }
    }

    @Test("at init, with and without minimumSeals")
    func creation() async throws {
        try await Table.with(isInitialized: false) { table in
            let node = table.devices.node
            // Before `init` there is no seal that another token's or TPM's key would not open, and no PIN of the TPM's.
            let possible = FailureTableTests.chosen.filter {
                $0[0] != .lying && $0[2] != .lying && $0[2] != .wrongCredentials
            }
            for conditions in possible {
                let ups = conditions.count { $0 == .up }
                for minimum in [nil, 2] as [Int?] {
                    try table.configure(conditions, minimumSeals: minimum)
                    try await table.devices.play(conditions)
                    let result = try await node.run("init", ["--generate-keys"])
                    let isMade = ups >= minimum ?? 3
                    #expect(result.exit == .code(isMade ? 0 : 1), "\(conditions), \(minimum ?? 3): \(result.text)")
                    if !isMade {
                        for (device, condition) in zip(table.devices.all, conditions) where condition != .up {
                            #expect(result.errors.contains("\(device.name): "), "\(conditions): \(result.text)")
                        }
                    } else {
                        #expect(result.output.contains("missing") == (ups < 3), "\(conditions): \(result.text)")
                    }
                    try await table.devices.mend()
                    // The next one begins anew.
                    try Files.remove(node.keyring)
                }
            }
        }
    }
}

/// Devices, a kube-apiserver that has written, and the plugin's probes.
private struct Table {
    let devices: Devices
    let server: APIServer
    private let port: Int

    /// - Parameter isInitialized: all have sealed a keyring, and seeds were written.
    static func with(isInitialized: Bool = true, _ body: (Table) async throws -> Void) async throws {
        try await Devices.with(isInitialized: isInitialized) { devices in
            let server = isInitialized ? try await devices.written() : try await devices.node.apiServer()
            try await body(Table(devices: devices, server: server, port: try Loopback.freePort()))
        }
    }

    /// One that never answers has a short deadline; that of the others is not reached however busy the machine is.
    func configure(_ conditions: [Device.Condition], minimumSeals: Int? = nil) throws {
        try devices.configure(
            minimumSeals: minimumSeals, deadlines: conditions.map { $0 == .slow ? "300ms" : "20s" },
            extra: "metrics: {listen: \"127.0.0.1:\(port)\"}\n")
    }

    func opener() async throws -> String {
        try await devices.status()["keks"].array.first { $0["role"] == "active" }?["openedBy"].string ?? ""
    }

    private func ready() throws -> HTTPResponse {
        try HTTPResponse.get("/readyz", .port(UInt16(port)))
    }

    /// Status, Encrypt and Decrypt are OK, and the plugin is ready.
    func expectServing(_ conditions: [Device.Condition]) async throws {
        let boot = try await server.ask("boot", ["within": 60])
        #expect(boot["read"].number >= 2, "\(conditions)")
        let ready = try ready()
        #expect(ready.status == 200 && ready.body == "ok\n", "\(conditions): \(ready.body)")
    }

    /// Status, Encrypt, Decrypt and /readyz say why not, with each backend's reason.
    func expectWaiting(_ conditions: [Device.Condition]) async throws {
        let mayMend = conditions.contains { $0 == .down || $0 == .slow }
        let code = mayMend ? "UNAVAILABLE" : "FAILED_PRECONDITION"
        var last = JSON.null
        do {
            try await eventually("Status says why", within: .seconds(60)) {
                last = try await server.ask("status")
                return last["code"].string == code
                    && devices.all.allSatisfy { last["details"].string.contains("\($0.name): ") }
            }
        } catch {
            throw TestError("\(conditions), \(code): \(error): \(last)")
        }
        let codes = try await server.ask("read")["codes"].counts
        #expect(codes.keys.sorted() == [code], "\(conditions): \(codes)")
        let refused = try await server.ask("encrypt_size", ["size": 32])
        #expect(refused["code"].string == code, "\(conditions): \(refused)")
        let ready = try ready()
        #expect(
            ready.status == 503 && devices.all.allSatisfy { ready.body.contains("\($0.name): ") },
            "\(conditions): \(ready.body)")
    }
}
