import Glibc
import TestSupport
import Testing

@Suite("Stopping", .serialized)
struct StoppingTests {
    @Test("a signal under load: calls in flight end, none is answered wrongly", arguments: [SIGTERM, SIGINT])
    func underLoad(_ signal: Int32) async throws {
        try await Node.serving { node, plugin, server in
            try await server.ask("load_start")
            try await server.ask("load_reached", ["calls": 300])
            let end = try await plugin.stop(signal)
            #expect(end.exit == .code(0), "\(end.text)")
            try await server.ask("load_reached", ["calls": 20, "code": "UNAVAILABLE"])
            let load = try await server.ask("load_stop")
            #expect(Set(load["codes"].counts.keys).isSubset(of: ["OK", "UNAVAILABLE", "CANCELLED"]), "\(load)")
            #expect(load["hung"].number == 0)
            #expect(plugin.notifications.lines.contains("STOPPING=1"))
            #expect(!Files.exists(node.socket))
            #expect(!Files.exists(node.control))
        }
    }

    @Test("`trousseau stop` under load")
    func stopCommand() async throws {
        try await Node.serving { node, plugin, server in
            try await server.ask("load_start")
            try await server.ask("load_reached", ["calls": 300])
            #expect(try await node.run("stop").exit == .code(0))
            #expect(try await plugin.process.waitForExit(within: .seconds(20)).exit == .code(0))
            let load = try await server.ask("load_stop")
            #expect(Set(load["codes"].counts.keys).isSubset(of: ["OK", "UNAVAILABLE", "CANCELLED"]), "\(load)")
        }
    }

    @Test("a call that never ends does not keep it from ending")
    func hangingCall() async throws {
        try await Node.serving { _, plugin, server in
            try await server.ask("hang", ["count": 5])
            let end = try await plugin.stop()
            #expect(end.exit == .code(0), "\(end.text)")
            let hung = try await server.ask("hung")
            #expect(Set(hung["codes"].counts.keys).isSubset(of: ["UNAVAILABLE", "CANCELLED"]), "\(hung)")
        }
    }

    @Test("a second signal ends it at once", arguments: [SIGTERM, SIGINT])
    func secondSignal(_ signal: Int32) async throws {
        try await Node.serving { _, plugin, server in
            try await server.ask("hang", ["count": 5])
            plugin.process.send(SIGTERM)
            try await eventually("STOPPING=1", within: .seconds(10)) {
                plugin.notifications.lines.contains("STOPPING=1")
            }
            let begin = ContinuousClock.now
            _ = try await plugin.stop(signal)
            #expect(ContinuousClock.now - begin < .seconds(5))
        }
    }

    @Test("SIGHUP, as of a closed terminal, is no reason to end")
    func hangup() async throws {
        try await Node.serving { _, plugin, server in
            plugin.process.send(SIGHUP)
            try await server.ask("boot")
            #expect(plugin.process.isRunning)
        }
    }
}
