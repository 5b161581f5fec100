import TestSupport
import Testing

@Suite("Sealing keys come and go", .serialized)
struct ResealTests {
    @Test("token B is added, token A destroyed: B opens what was sealed by A")
    func anotherToken() async throws {
        try await Node.serving { node, first, server in
            try await server.ask("write", ["count": 20])
            let other = try await SoftToken.make(node.scope, label: "other")
            let backends = [Backend("rack-hsm", node.token), Backend("other-hsm", other)]
            try node.configure(backends)

            // The running plugin does not know the new one yet, and the command says so.
            let early = try await node.run("reseal", ["--generate-keys"])
            #expect(early.exit == .code(1), "\(early.text)")
            #expect(early.output.contains("another configuration of other-hsm: restart it"), "\(early.text)")
            #expect(early.output.contains("as before"), "\(early.text)")

            try await first.stop()
            let second = try await node.serve()
            try await server.ask("boot", ["within": 30])
            let report = try await node.reseal(["--generate-keys"])
            #expect(report["running"] == true)
            #expect(report.outcomes("rack-hsm") == ["kept"])
            #expect(report.outcomes("other-hsm") == ["added"])
            #expect(report["oldKeyID"].string != report["keyID"].string)
            let status = try await node.run("status")
            #expect(status.output.contains("key_id   \(report["keyID"].string)"), "\(status.text)")
            try await server.ask("write", ["count": 20])
            try await second.stop()

            try await node.token.destroy()
            let third = try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            let after = try await node.run("status")
            #expect(after.output.contains(report["keyID"].string), "\(after.text)")

            // One of two is away: the other's row says that all is well, the exit code that not all is.
            let broken = try await node.run("reseal", ["--output", "json"])
            #expect(broken.exit == .code(1))
            let rows = try JSON(parsing: broken.output)
            #expect(rows.outcomes("rack-hsm") == ["failed"])
            #expect(rows.outcomes("other-hsm") == ["kept"])
            #expect(third.process.isRunning)
        }
    }

    @Test("a new key on the same token, the old one dropped and destroyed: everything decrypts throughout")
    func anotherKey() async throws {
        try await Node.serving { node, first, server in
            try await server.ask("write", ["count": 20])
            try await first.stop()
            try node.configure([
                Backend("new-key", node.token, object: "kek-sealer-2"),
                Backend("rack-hsm", node.token, isUnsealOnly: true),
            ])

            // No plugin runs: on the files.
            let files = try await node.reseal(["--generate-keys"])
            #expect(files["running"] == false)
            #expect(files.outcomes("new-key") == ["added"])
            #expect(files.outcomes("rack-hsm") == ["kept"])

            let second = try await node.serve()
            try await server.ask("boot", ["within": 30])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            let unasked = try await node.run("reseal", ["--drop-replaced"])
            #expect(unasked.exit == .code(1), "\(unasked.text)")
            #expect(unasked.errors.contains("--yes"), "\(unasked.text)")
            let dropped = try await node.reseal(["--drop-replaced", "--yes"])
            #expect(dropped["running"] == true)
            #expect(dropped.outcomes("rack-hsm") == ["dropped"])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            try await server.ask("write", ["count": 20])
            try await second.stop()

            _ = try await node.token.tool(["--delete-object", "--type", "secrkey", "--label", "kek-sealer"])
            try node.configure([Backend("new-key", node.token, object: "kek-sealer-2")])
            _ = try await node.serve()
            try await server.ask("boot", ["within": 30])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await node.reseal([]).outcomes("new-key") == ["kept"])
        }
    }

    @Test("a recovery key is added to a living keyring, and with the token gone it opens what was written before")
    func recoveryKey() async throws {
        try await Node.serving { node, first, server in
            try await server.ask("write", ["count": 20])
            let (key, certificate) = (node.scope.path("offline.key"), node.scope.path("offline.pem"))
            let made = try await ChildProcess.run(
                try Program.path,
                [
                    "recovery-key", "new", "--no-passphrase", "--type", "p256", "--out-key", key, "--out-certificate",
                    certificate,
                ])
            #expect(made.succeeded, "\(made.text)")
            try await first.stop()
            try node.configure([Backend("rack-hsm", node.token)], recovery: certificate)
            let second = try await node.serve()
            try await server.ask("boot", ["within": 30])
            let report = try await node.reseal([])
            #expect(report["running"] == true && report.outcomes("recovery") == ["added"])
            #expect(report["seals"].array.first { $0["backend"] == "recovery" }?["verified"] == false)
            #expect(try await node.reseal([]).outcomes("recovery") == ["kept"])
            try await second.stop()

            try await node.token.destroy()
            let other = try await SoftToken.make(node.scope, label: "other")
            try node.configure([Backend("other-hsm", other)], recovery: certificate)
            try Files.move(node.keyring, to: node.scope.path("lost"))
            let recovered = try await node.run(
                "recover",
                [
                    "--from", node.scope.path("lost"), "--key", key, "--key-id", report["keyID"].string,
                    "--generate-keys",
                ])
            #expect(recovered.succeeded, "\(recovered.text)")
            _ = try await node.serve()
            try await server.ask("boot", ["within": 30])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
        }
    }

    @Test("before a recipient is removed the keyring's name is asked for, and nothing else will do")
    func confirmation() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.initialize()
            try node.configure([
                Backend("new-key", node.token, object: "kek-sealer-2"),
                Backend("rack-hsm", node.token, isUnsealOnly: true),
            ])
            _ = try await node.reseal(["--generate-keys"])
            let before = try node.records()
            let command = ["reseal", "--config", node.configuration, "--drop-replaced"]
            for wrong in ["", "yes", "E2E", "e2e2"] {
                let refused = try await TerminalSession.run(
                    command, environment: node.environment, [("to go on: ", .string(wrong))])
                #expect(refused.exit == .code(1), "\(wrong): \(refused.text)")
                #expect(refused.output.contains("The sealing keys of rack-hsm will be removed"), "\(refused.text)")
                #expect(refused.output.contains("reseal: not confirmed"), "\(refused.text)")
                #expect(try node.records() == before, "\(wrong)")
            }
            let done = try await TerminalSession.run(
                command, environment: node.environment, [("to go on: ", "e2e")])
            #expect(done.exit == .code(0), "\(done.text)")
            #expect(done.output.contains("dropped"), "\(done.text)")
            #expect(try node.records() != before)
        }
    }
}

/// One item of the configuration's list.
private struct Backend {
    let name: String
    let token: SoftToken
    let object: String
    let isUnsealOnly: Bool

    init(_ name: String, _ token: SoftToken, object: String = "kek-sealer", isUnsealOnly: Bool = false) {
        self.name = name
        self.token = token
        self.object = object
        self.isUnsealOnly = isUnsealOnly
    }

    var text: String {
        """
        - name: \(name)
          deadline: 2s
          unsealOnly: \(isUnsealOnly)
          pkcs11:
            module: \(token.module)
            key: "pkcs11:token=\(token.label);object=\(object)"
            pinSource: \(token.pinFile)

        """
    }
}

extension Node {
    /// Replaces the backends of the configuration.
    fileprivate func configure(_ backends: [Backend], recovery certificate: String? = nil) throws {
        let head = text(Options()).split(separator: "backends:\n").first ?? ""
        let last = certificate.map { "- {name: recovery, recovery: {certificate: \($0)}}\n" } ?? ""
        try Files.write(head + "backends:\n" + backends.map(\.text).joined() + last, to: configuration)
    }

    /// What the keyring's records say, by file.
    fileprivate func records() throws -> [String: String] {
        let names = try Files.list(keyring).filter { $0.hasSuffix(".record") }
        return Dictionary(uniqueKeysWithValues: try names.map { ($0, try Files.readText("\(keyring)/\($0)")) })
    }

    /// The report of a `reseal` that succeeds.
    fileprivate func reseal(_ arguments: [String]) async throws -> JSON {
        let result = try await run("reseal", arguments + ["--output", "json"])
        guard result.succeeded else { throw TestError("reseal: \(result.exit) \(result.text)") }
        return try JSON(parsing: result.output)
    }
}

extension JSON {
    /// What was done with a backend's seals.
    fileprivate func outcomes(_ backend: String) -> [String] {
        self["seals"].array.filter { $0["backend"].string == backend }.map { $0["outcome"].string }
    }
}

extension SoftToken {
    /// Deletes the token with all its keys.
    fileprivate func destroy() async throws {
        let result = try await ChildProcess.run(
            "softhsm2-util", ["--module", module, "--delete-token", "--token", label],
            environment: ["SOFTHSM2_CONF": configuration])
        guard result.succeeded else { throw TestError("delete-token: \(result.text)") }
    }
}
