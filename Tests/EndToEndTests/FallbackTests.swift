import Glibc
import TestSupport
import Testing

/// Rows of docs/failures.md with real devices: a token of SoftHSM, Vault's stand-in and swtpm.
@Suite("Fallback", .serialized)
struct FallbackTests {
    @Test(
        "at a start, one that is up is enough",
        arguments: [
            [.up, .slow, .down], [.down, .slow, .up], [.wrongCredentials, .up, .down], [.lying, .up, .slow],
            [.lying, .down, .up], [.down, .up, .lying], [.wrongCredentials, .wrongCredentials, .up],
        ] as [[Device.Condition]])
    func start(_ conditions: [Device.Condition]) async throws {
        try await Devices.with { devices in
            let server = try await devices.written()
            try await devices.play(conditions)
            let logins = try devices.logins()
            let plugin = try await devices.node.serve()
            #expect(try await server.ask("boot", ["within": 60])["keyID"].string == devices.keyID)
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            try await server.ask("write", ["count": 10])
            let opener = devices.all[conditions.firstIndex(of: .up) ?? 0].name
            let active = try await devices.status()["keks"].array.first { $0["role"] == "active" }
            #expect(active?["openedBy"].string == opener)
            // A refused PIN is sent once.
            try devices.expectOneLogin(since: logins)
            #expect(try await plugin.stop().exit == .code(0))
            try await devices.expectNothingLost(server)
        }
    }

    @Test(
        "at a start, when none is up, it waits and says why, and serves when one is back",
        arguments: [
            ([.down, .slow, .slow], "UNAVAILABLE"),
            ([.wrongCredentials, .wrongCredentials, .lying], "FAILED_PRECONDITION"),
        ] as [([Device.Condition], String)])
    func startWithNone(_ conditions: [Device.Condition], _ code: String) async throws {
        try await Devices.with { devices in
            let server = try await devices.written()
            try await devices.play(conditions)
            let plugin = try await devices.node.serve()
            try await eventually("Status names all three", within: .seconds(60)) {
                let answer = try await server.ask("status")
                #expect(answer["code"].string != "OK")
                return answer["code"].string == code
                    && devices.all.allSatisfy { answer["details"].string.contains("\($0.name): ") }
            }
            #expect(try await server.ask("read")["codes"].counts["OK"] == nil)
            let text = try await devices.node.run("status").output
            #expect(text.contains("next try in") || text.contains("being tried"), "\(text)")
            try await devices.mend()
            #expect(try await server.ask("boot", ["within": 90])["keyID"].string == devices.keyID)
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await plugin.stop().exit == .code(0))
        }
    }

    @Test("in service nothing of it is noticed, and status says what each of them has")
    func service() async throws {
        try await Devices.with { devices in
            let server = try await devices.written()
            let plugin = try await devices.node.serve()
            try await server.ask("boot", ["within": 60])
            try await eventually("all were asked", within: .seconds(60)) {
                try await devices.status()["backends"].array.allSatisfy { $0["state"] == "ok" }
            }
            try await devices.play([.down, .slow, .slow])
            try await eventually("all are missed", within: .seconds(120)) {
                try await server.ask("write", ["count": 10])
                let states = try await devices.status()["backends"].array.map { $0["state"].string }
                return states == ["failing", "failing", "failing"]
            }
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            let calls = try await devices.status()["backends"].array.map { $0["calls"].number }
            try await server.ask("write", ["count": 500])
            let later = try await devices.status()["backends"].array
            // As many as their breakers allow in the meantime, and none by the requests.
            for (before, backend) in zip(calls, later) { #expect(backend["calls"].number <= before + 20) }
            for backend in later { #expect(!backend["lastErrorHint"].string.isEmpty, "\(backend)") }
            try await devices.mend()
            try await devices.expectAllWell(within: .seconds(120))
            // Dead for good.
            devices.vault.standIn.process.send(SIGKILL)
            try await server.ask("write", ["count": 10])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await plugin.stop().exit == .code(0))
        }
    }

    @Test("init and reseal do what they can, and say in their exit code that it was not all")
    func commands() async throws {
        try await Devices.with(isInitialized: false) { devices in
            let node = devices.node
            try await devices.play([.up, .slow, .down])
            let refused = try await node.run("init", ["--generate-keys"])
            #expect(refused.exit == .code(1), "\(refused.text)")
            #expect(refused.errors.contains("vault: ") && refused.errors.contains("node-tpm: "), "\(refused.text)")
            try devices.configure(minimumSeals: 1)
            let made = try await node.run("init", ["--generate-keys"])
            #expect(made.exit == .code(0), "\(made.text)")
            #expect(made.output.contains("missing") && made.output.contains("verified"), "\(made.text)")

            let partly = try await node.run("reseal", ["--output", "json"])
            #expect(partly.exit == .code(1), "\(partly.text)")
            let rows = try JSON(parsing: partly.output)["seals"].array
            #expect(rows.first { $0["backend"] == "rack-hsm" }?["outcome"] == "kept", "\(partly.output)")
            #expect(rows.filter { $0["outcome"] == "failed" }.count == 2, "\(partly.output)")
            try await devices.play([.down, .slow, .down])
            let none = try await node.run("reseal")
            #expect(none.exit == .code(4), "\(none.text)")
            try await devices.mend()
            let all = try await node.run("reseal", ["--generate-keys", "--output", "json"])
            #expect(all.exit == .code(0), "\(all.text)")
            let added = try JSON(parsing: all.output)["seals"].array.filter { $0["outcome"] == "added" }
            #expect(Set(added.map { $0["backend"].string }) == ["vault", "node-tpm"], "\(all.output)")
        }
    }
}
