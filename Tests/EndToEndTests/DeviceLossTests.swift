import Glibc
import TestSupport
import Testing

@Suite("A device that is away", .serialized)
struct DeviceLossTests {
    /// How long the plugin may take to see what became of its HSM: a few of its probes.
    private static let notice = Duration.seconds(90)

    @Test("moved away while serving: calls go on, status says what is wrong; moved back: it recovers by itself")
    func whileServing() async throws {
        try await Node.serving { node, plugin, server in
            try await server.ask("write", ["count": 100])
            #expect(try await node.backend()["state"].string == "ok")

            try Files.move(node.token.folder, to: node.scope.path("away"))
            try await eventually("status says that the token is away", within: DeviceLossTests.notice) {
                try await node.backend()["state"].string == "failing"
            }
            // The error may be another one between two looks: how long it is until the next try is part of it.
            try await eventually("status says for people what it says for programs", within: .seconds(60)) {
                let failing = try await node.backend()
                let output = try await node.run("status").output
                return !failing["lastError"].string.isEmpty
                    && output.contains("! backend rack-hsm: \(failing["lastError"].string)")
                    && output.contains(failing["lastErrorHint"].string)
            }
            #expect(try await server.ask("read")["codes"].counts == ["OK": 101])
            try await server.ask("boot")
            #expect(try await node.run("doctor").exit == .code(1))

            try Files.move(node.scope.path("away"), to: node.token.folder)
            try await eventually("status says that the token is back", within: DeviceLossTests.notice) {
                try await node.backend()["state"].string == "ok"
            }
            try await server.ask("boot")
            #expect(plugin.process.isRunning)
        }
    }

    @Test("restarted while it is away: it waits and says why, and serves soon after the token's return")
    func restart() async throws {
        try await Node.serving { node, first, server in
            try await server.ask("write", ["count": 100])
            try await first.stop()
            try Files.move(node.token.folder, to: node.scope.path("away"))

            let plugin = try await node.serve()
            try await eventually("Status says which HSM does not answer", within: .seconds(30)) {
                let refused = try await server.ask("status")
                #expect(["UNAVAILABLE", "FAILED_PRECONDITION"].contains(refused["code"].string), "\(refused)")
                return refused["details"].string.contains("rack-hsm")
            }
            let reads = try await server.ask("read")
            #expect(reads["codes"].counts["OK"] == nil, "\(reads)")
            #expect(plugin.process.isRunning)
            let status = try await node.run("status")
            #expect(status.output.contains("rack-hsm"))

            try Files.move(node.scope.path("away"), to: node.token.folder)
            let boot = try await server.ask("boot", ["within": 30])
            #expect(boot["read"].number == 102)
            #expect(plugin.process.isRunning)
        }
    }

    @Test("a wrong PIN is sent once in all, over three restarts; the corrected file serves without a fourth")
    func wrongPIN() async throws {
        try await TestScope.with { scope in
            var options = Node.Options()
            options.isSpied = true
            options.pinFile = scope.path("pin")
            let node = try await Node.make(scope, options)
            let spy = try #require(node.spy)
            let right = try Files.read(node.token.pinFile)
            try Files.write(right, to: scope.path("pin"))
            try await node.initialize()
            let server = try await node.apiServer()

            try Files.write("wrong-4711", to: scope.path("pin"))
            let before = try spy.calls("C_Login")
            let hint = "correct the PIN in \(scope.path("pin"))"
            for attempt in 1...4 {
                let plugin = try await node.serve()
                try await eventually("Status says what to do", within: .seconds(30)) {
                    let status = try await server.ask("status")
                    #expect(status["code"].string != "OK")
                    return status["details"].string.contains(hint)
                }
                let status = try await node.run("status")
                #expect(status.output.contains(hint), "\(status.text)")
                #expect(try spy.calls("C_Login") == before + 1)
                #expect(plugin.process.isRunning)
                if attempt < 4 {
                    #expect(try await plugin.stop().exit == .code(0))
                } else {
                    try Files.write(right, to: scope.path("pin"))
                    try await server.ask("boot", ["within": 60], within: .seconds(120))
                    #expect(try spy.calls("C_Login") == before + 2)
                }
            }
            #expect(!scope.allOutput.contains("wrong-4711"))
        }
    }
}

extension Node {
    /// What `status --output json` says about the HSM.
    func backend() async throws -> JSON {
        let result = try await run("status", ["--output", "json"])
        guard result.succeeded else { throw TestError("status: \(result.exit) \(result.text)") }
        let backends = try JSON(parsing: result.output)["backends"].array
        guard let backend = backends.first(where: { $0["name"].string == "rack-hsm" }) else {
            throw TestError("status has no rack-hsm: \(result.output)")
        }
        return backend
    }
}
