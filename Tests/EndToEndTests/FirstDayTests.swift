import Glibc
import TestSupport
import Testing

@Suite("The first day", .serialized)
struct FirstDayTests {
    @Test("the program says its version")
    func version() async throws {
        let result = try await ChildProcess.run(try Program.path, ["version"])
        #expect(result.succeeded)
        #expect(result.output.hasPrefix("trousseau "))
    }

    @Test("from init to stop, with every exit code that the manual names")
    func wholeDay() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)

            // Before init there is no keyring to serve, and nobody to stop.
            let early = try await node.run("serve")
            #expect(early.exit == .code(4))
            #expect(early.errors.contains("trousseau: "))
            #expect(early.errors.contains("init"))
            #expect(try await node.run("stop").exit == .code(5))
            #expect(try await node.run("doctor").exit == .code(1))

            // Without the sealing key, init says what to do, and makes nothing.
            let keyless = try await node.run("init")
            #expect(keyless.exit == .code(1))
            #expect(keyless.errors.contains("--generate-keys"))
            let still = try await node.run("serve")
            #expect(still.exit == .code(4))
            #expect(still.errors.contains("run trousseau init"), "\(still.text)")

            let keyID = try await node.initialize()
            let before = try Snapshot(of: node.keyring)
            let again = try await node.run("init", ["--generate-keys"])
            #expect(again.exit == .code(4))
            #expect(again.output.isEmpty)
            #expect(try before.changes == [])

            let offline = try await node.run("status")
            #expect(offline.succeeded)
            // The files name the KEK; the rest of the key_id is over a MAC that only the open KEK can make.
            #expect(offline.output.contains(keyID.split(separator: "/")[2]))
            #expect(offline.output.contains("not running"))

            let plugin = try await node.serve()
            let server = try await node.apiServer()
            let boot = try await server.ask("boot")
            #expect(boot["keyID"].string == keyID)
            #expect(boot["annotations"].members.keys.contains("kek.trousseau"))

            let text = try await node.run("status")
            #expect(text.succeeded)
            #expect(text.output.contains(keyID))
            #expect(text.output.contains("rack-hsm"))
            let json = try await node.run("status", ["--output", "json"])
            #expect(json.succeeded)
            #expect(try JSON(parsing: json.output).members.isEmpty == false)
            #expect(json.output.contains(keyID))

            let doctor = try await node.run("doctor")
            #expect(doctor.succeeded, "\(doctor.text)")
            let findings = try await node.run("doctor", ["--output", "json"])
            _ = try JSON(parsing: findings.output)

            let encryption = try await node.run("encryption-config")
            #expect(encryption.succeeded)
            #expect(encryption.output.contains("endpoint: unix://\(node.socket)"))

            let stop = try await node.run("stop")
            #expect(stop.succeeded, "\(stop.text)")
            let end = try await plugin.process.waitForExit(within: .seconds(20))
            #expect(end.exit == .code(0), "\(end.text)")
            #expect(plugin.notifications.lines.contains("STOPPING=1"))
            #expect(!Files.exists(node.socket))
            #expect(try await node.run("stop").exit == .code(5))
        }
    }

    @Test("kms encrypt and decrypt by hand, v2 and v1beta1, JSON and text", arguments: ["v2", "v1"], ["json", "text"])
    func byHand(_ api: String, _ output: String) async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.initialize()
            let plugin = try await node.serve()
            let secret = Array("thirty-two bytes are a DEK seed.".utf8)
            try Files.write(secret, to: scope.path("seed"))
            let options = ["--socket", node.socket, "--api", api]

            // READY says that the sockets accept; the KEK may still be on its way from the HSM.
            try await eventually("kms status succeeds", within: .seconds(30)) {
                try await kms(["status", "--socket", node.socket]).succeeded
            }
            #expect(try await kms(["status"] + options).succeeded)
            let sealed = try await kms(
                ["encrypt"] + options + ["--in", scope.path("seed"), "--output", output])
            #expect(sealed.succeeded, "\(sealed.text)")
            #expect(!sealed.output.contains("thirty-two"))
            try Files.write(sealed.output, to: scope.path("sealed"))
            let opened = try await kms(["decrypt"] + options + ["--in", scope.path("sealed")])
            #expect(opened.succeeded, "\(opened.text)")
            #expect(opened.output == "thirty-two bytes are a DEK seed.")

            // One letter of the ciphertext: an error, and no plaintext.
            let damaged = sealed.output.replacing(/(ciphertext"?: "?.{40})(.)/) { match in
                String(match.output.1) + (match.output.2 == "A" ? "B" : "A")
            }
            try #require(damaged != sealed.output)
            try Files.write(damaged, to: scope.path("damaged"))
            let refused = try await kms(["decrypt"] + options + ["--in", scope.path("damaged")])
            #expect(refused.exit == .code(1), "\(refused.text)")
            #expect(refused.output.isEmpty)
            #expect(refused.errors.contains("INVALID_ARGUMENT"), "\(refused.text)")

            try await plugin.stop()
            #expect(try await kms(["status", "--timeout", "500ms"] + options).exit == .code(5))
        }
    }

    private func kms(_ arguments: [String]) async throws -> ChildProcess.Result {
        try await ChildProcess.run(try Program.path, ["kms"] + arguments)
    }
}
