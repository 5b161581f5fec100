import Glibc
import TestSupport
import Testing

@Suite("Restarts", .serialized)
struct RestartTests {
    @Test("5000 seeds decrypt after a restart; the HSM is asked once, and not at all by 10000 requests")
    func coldCache() async throws {
        try await TestScope.with { scope in
            var options = Node.Options()
            options.isSpied = true
            let node = try await Node.make(scope, options)
            let spy = try #require(node.spy)
            let keyID = try await node.initialize()
            let plugin = try await node.serve()
            let server = try await node.apiServer()
            try await server.ask("boot")
            let written = try await server.ask("write", ["count": 5000])
            #expect(written["distinct"].number == 5000)
            let first = try await plugin.stop()
            #expect(first.exit == .code(0), "\(first.text)")

            let before = try spy.calls("C_Decrypt")
            let second = try await node.serve()
            #expect(try await server.ask("boot")["keyID"].string == keyID)
            #expect(try spy.calls("C_Decrypt") == before + 1)
            #expect(try await server.ask("read")["codes"].counts == ["OK": 5002])

            // A probe every half minute decrypts a canary of its own; between two of them nothing is asked.
            try await eventually("10000 requests without a call to the HSM", within: .seconds(60)) {
                let calls = try spy.allCalls()
                let read = try await server.ask("read", ["repeat": 2])
                #expect(read["codes"].counts == ["OK": 10004])
                return try spy.allCalls() == calls
            }
            try await second.stop()
        }
    }

    @Test("killed under load, it serves again over its stale socket, and nothing is lost")
    func killed() async throws {
        try await Node.serving { node, plugin, server in
            try await server.ask("write", ["count": 300])
            let keyID = try await server.ask("status")["keyID"]
            try await server.ask("load_start", ["wait": true])
            try await server.ask("load_reached", ["calls": 300])
            plugin.process.send(SIGKILL)
            #expect(try await plugin.process.waitForExit(within: .seconds(20)).exit == .signal(SIGKILL))
            #expect(Files.exists(node.socket))

            let second = try await node.serve()
            try await server.ask("load_reached", ["calls": 300])
            let load = try await server.ask("load_stop")
            #expect(load["codes"].counts["OK", default: 0] >= 600)
            // UNAVAILABLE is what was in flight when it was killed.
            #expect(Set(load["codes"].counts.keys).isSubset(of: ["OK", "UNAVAILABLE"]), "\(load)")
            #expect(load["hung"].number == 0)
            let boot = try await server.ask("boot")
            #expect(boot["keyID"] == keyID)
            #expect(boot["read"].number == 302)
            #expect(try await second.stop().exit == .code(0))
        }
    }

    @Test("a second plugin on the same keyring is refused with a hint, and the first goes on untouched")
    func secondOnKeyring() async throws {
        try await Node.serving { node, plugin, server in
            let before = try Snapshot(of: node.keyring)
            let second = try await node.run("serve")
            #expect(second.exit == .code(4))
            #expect(second.errors.contains("\n  "), "no hint: \(second.errors)")
            #expect(second.errors.contains(node.keyring))
            #expect(try before.changes == [])
            #expect(plugin.process.isRunning)
            try await server.ask("boot")
            try await (try await node.apiServer()).ask("boot")
        }
    }

    @Test("a second plugin with another keyring does not take the first one's socket")
    func secondOnSocket() async throws {
        try await Node.serving { node, plugin, server in
            let text = try Files.readText(node.configuration)
            let other = text.replacing("directory: \(node.keyring)", with: "directory: \(node.scope.path("other"))")
            try Files.write(other, to: node.configuration)
            try await node.initialize()
            let second = try await node.run("serve")
            #expect(second.exit != .code(0))
            #expect(second.errors.contains(node.socket))
            #expect(second.errors.contains("\n  "), "no hint: \(second.errors)")
            try Files.write(text, to: node.configuration)
            try await server.ask("boot")
            try await (try await node.apiServer()).ask("boot")
            #expect(try await plugin.stop().exit == .code(0))
        }
    }

    @Test("a socket that somebody else listens on is not taken from him")
    func liveListener() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.initialize()
            let listener = try UnixConnection.listen(at: node.socket)
            defer { close(listener) }
            let refused = try await node.run("serve")
            #expect(refused.exit != .code(0))
            #expect(refused.errors.contains(node.socket))
            // The connection reaches the one who was there first.
            let connection = try UnixConnection(to: node.socket)
            #expect(accept(listener, __SOCKADDR_ARG(__sockaddr__: nil), nil) >= 0)
            #expect(connection.send([1]))
        }
    }

    @Test("what is no socket is not removed")
    func file() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.initialize()
            try Files.write("mine", to: node.socket)
            let refused = try await node.run("serve")
            #expect(refused.exit != .code(0))
            #expect(refused.errors.contains(node.socket))
            #expect(try Files.readText(node.socket) == "mine")
        }
    }
}
