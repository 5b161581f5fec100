import Glibc
import TestSupport
import Testing

@Suite("Secrets", .serialized)
struct SecrecyTests {
    @Test("neither the PIN nor a seed is in anything that was written, nor on a command line")
    func nothingWritten() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.initialize()
            let plugin = try await node.serve()
            let server = try await node.apiServer()
            try await server.ask("boot")
            try await server.ask("write", ["count": 100])
            try await server.ask("write", ["count": 20, "api": "v1beta1"])
            try await server.ask("mutate", ["part": "ciphertext"])
            try await server.ask("read")
            let reports = [
                try await node.run("status"), try await node.run("status", ["--output", "json"]),
                try await node.run("doctor"), try await node.run("encryption-config"),
                try await node.run("init", ["--generate-keys"]),
            ]
            try Files.write(reports.map(\.text).joined(), to: scope.path("reports"))
            try Files.write(try Files.read("/proc/\(plugin.process.pid)/cmdline"), to: scope.path("cmdline"))
            let end = try await plugin.stop()
            try Files.write(end.text, to: scope.path("log"))

            let places = ["keyring", "run", "control", "reports", "cmdline", "log", "config.yaml"].map(scope.path)
            let pin = JSON.string(try Files.readText(node.token.pinFile))
            let arguments: [String: JSON] = ["paths": .array(places.map(JSON.string)), "texts": .array([pin])]
            let clean = try await server.ask("leaks", arguments)
            #expect(clean["found"].array.isEmpty, "\(clean)")
            #expect(clean["seeds"].number == 121)

            // The search finds what is there.
            try Files.write("pin=\(pin.string)!", to: scope.path("log"))
            let found = try await server.ask("leaks", arguments)["found"].array.map(\.string)
            #expect(found == [scope.path("log")])
        }
    }

    @Test("another user's plugin cannot be looked into by him, and leaves no core")
    func notDumpable() async throws {
        try await TestScope.with { scope in
            // As a service's own user, who cannot lock memory without a limit that systemd sets.
            var options = Node.Options()
            options.allowUnlockedMemory = true
            options.allow = "allowUsers: [0, 4711]"
            let node = try await Node.make(scope, options)
            let owned = try await ChildProcess.run("chown", ["-R", "4711:4711", scope.directory])
            try #require(owned.succeeded)
            let become = ["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups"]
            let initialized = try await ChildProcess.run(
                become[0],
                Array(become.dropFirst())
                    + [try Program.path, "init", "--generate-keys", "--config", node.configuration],
                environment: node.environment)
            try #require(initialized.succeeded, "\(initialized.text)")
            let plugin = try await node.serve(wrapper: become)
            try await (try await node.apiServer()).ask("boot")

            // The kernel gives root what is not dumpable; an ordinary process stays its user's.
            let ordinary = try scope.start(become[0], Array(become.dropFirst()) + ["sleep", "60"])
            try await eventually("sleep is started", within: .seconds(20)) {
                try Files.owner("/proc/\(ordinary.pid)/mem").user == 4711
            }
            #expect(try Files.owner("/proc/\(plugin.process.pid)/mem").user == 0)
            #expect(try plugin.measure("Uid") == 4711)
            let limits = try Files.readText("/proc/\(plugin.process.pid)/limits")
            #expect(limits.contains(/Max core file size +0 +0/))
            #expect(try await plugin.stop().exit == .code(0))
        }
    }
}
