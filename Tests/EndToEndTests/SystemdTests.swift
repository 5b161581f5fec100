import Glibc
import TestSupport
import Testing

@Suite("Under systemd", .serialized)
struct SystemdTests {
    /// LISTEN_PID has to be the plugin's own process ID: the shell's, which exec keeps.
    private static let wrapper = ["/bin/sh", "-c", "LISTEN_PID=$$; export LISTEN_PID; exec \"$@\"", "sh"]

    @Test("serves a socket that systemd listens on, and clients that came before it")
    func activation() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.initialize()
            let listener = try UnixConnection.listen(at: node.socket)
            defer { close(listener) }

            // It is in the backlog before anybody serves.
            let early = try await node.apiServer()
            try await early.ask("preface")
            let plugin = try RunningPlugin.spawn(
                node, environment: node.environment.merging(["LISTEN_FDS": "1"]) { $1 },
                wrapper: SystemdTests.wrapper, descriptors: [listener])
            #expect(try await early.ask("refusal")["end"].string == "answered")
            try await early.ask("boot")
            try await eventually("READY=1", within: .seconds(20)) { plugin.notifications.lines.contains("READY=1") }
            #expect(try await node.run("status").succeeded)

            let end = try await plugin.stop()
            #expect(end.exit == .code(0), "\(end.text)")
            #expect(plugin.notifications.lines.contains("STOPPING=1"))
            // The socket is systemd's: it stays, and the next start serves it again.
            #expect(Files.exists(node.socket))
            let second = try RunningPlugin.spawn(
                node, environment: node.environment.merging(["LISTEN_FDS": "1"]) { $1 },
                wrapper: SystemdTests.wrapper, descriptors: [listener])
            try await early.ask("boot")
            #expect(try await second.stop().exit == .code(0))
        }
    }

    @Test("descriptors that are for another process are not taken")
    func otherProcess() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.initialize()
            let listener = try UnixConnection.listen(at: scope.path("other.sock"))
            defer { close(listener) }
            let plugin = try RunningPlugin.spawn(
                node, environment: node.environment.merging(["LISTEN_FDS": "1", "LISTEN_PID": "1"]) { $1 },
                descriptors: [listener])
            try await (try await node.apiServer()).ask("boot")
            #expect(try await plugin.stop().exit == .code(0))
        }
    }

    @Test("READY says that the sockets accept, also while the HSM is away; a status says why it waits")
    func notifications() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.initialize()
            try Files.move(node.token.folder, to: scope.path("away"))
            let plugin = try await node.serve()
            _ = try UnixConnection(to: node.socket)
            _ = try UnixConnection(to: node.control)
            try await eventually("a status about rack-hsm: \(plugin.notifications.lines)", within: .seconds(30)) {
                plugin.notifications.lines.contains { $0.hasPrefix("STATUS=") && $0.contains("rack-hsm") }
            }
            #expect(try await plugin.stop().exit == .code(0))
        }
    }
}
