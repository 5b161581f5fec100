import Glibc
import TestSupport
import Testing

@Suite("Vault", .serialized)
struct VaultTests {
    @Test("alone it is set up, serves, and opens the keyring after a restart; away, it fails no request")
    func alone() async throws {
        try await TestScope.with { scope in
            let vault = try await VaultNode.make(scope)
            let node = vault.node
            try vault.configure([vault.backend])
            let keyID = try await node.initialize()
            let doctor = try await node.run("doctor")
            #expect(doctor.exit == .code(0), "\(doctor.text)")
            let first = try await node.serve()
            let server = try await node.apiServer()
            try await server.ask("boot")
            try await server.ask("write", ["count": 100])
            try await first.stop()

            let second = try await node.serve()
            #expect(try await server.ask("boot", ["within": 30])["keyID"].string == keyID)
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])

            // All its tokens gone, then Vault itself: what is in memory goes on.
            try vault.standIn.control("revoke")
            try await server.ask("write", ["count": 10])
            try vault.standIn.control("seal", "{\"sealed\":true}")
            try await server.ask("write", ["count": 10])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            try await second.stop()

            let third = try await node.serve()
            try await eventually("Status says that Vault is sealed", within: .seconds(30)) {
                try await server.ask("status")["details"].string.contains("sealed")
            }
            try vault.standIn.control("seal", "{\"sealed\":false}")
            #expect(try await server.ask("boot", ["within": 60])["keyID"].string == keyID)
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            let end = try await third.stop()
            #expect(end.exit == .code(0))
            for secret in vault.secrets { #expect(!scope.allOutput.contains(secret)) }
        }
    }

    @Test("beside an HSM, either of them opens the keyring while the other is away")
    func besideHSM() async throws {
        try await TestScope.with { scope in
            let vault = try await VaultNode.make(scope)
            let node = vault.node
            try vault.configure([vault.hsm, vault.backend])
            let keyID = try await node.initialize()
            let first = try await node.serve()
            let server = try await node.apiServer()
            try await server.ask("boot")
            try await server.ask("write", ["count": 20])
            try await first.stop()

            try Files.move(node.token.folder, to: scope.path("away"))
            let byVault = try await node.serve()
            #expect(try await server.ask("boot", ["within": 60])["keyID"].string == keyID)
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            try await byVault.stop()

            try Files.move(scope.path("away"), to: node.token.folder)
            for fault in ["\"kind\":\"hang\"", "\"kind\":\"close\"", "\"kind\":\"status\",\"status\":500"] {
                try vault.standIn.fault("", fault)
                let byHSM = try await node.serve()
                #expect(try await server.ask("boot", ["within": 60])["keyID"].string == keyID)
                #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
                try vault.standIn.mend()
                #expect(try await byHSM.stop().exit == .code(0))
            }
        }
    }

    @Test("nothing in the environment has TLS secrets written down or a proxy used")
    func environment() async throws {
        try await TestScope.with { scope in
            let vault = try await VaultNode.make(scope)
            try vault.configure([vault.backend])
            try await vault.node.initialize()
            var environment = ["SSLKEYLOGFILE": scope.path("tls-secrets"), "CURL_SSL_BACKEND": "gnutls"]
            for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy"] {
                environment[name] = "http://127.0.0.1:1"
            }
            // It would be: curl's own program has the same library write it.
            let curl = try await ChildProcess.run(
                "python3",
                [
                    "-c",
                    "import ssl,urllib.request as r; c=ssl.create_default_context(cafile='\(vault.certificates.authority)'); "
                        + "r.build_opener(r.ProxyHandler({}),r.HTTPSHandler(context=c))"
                        + ".open('https://127.0.0.1:\(vault.standIn.port)/v1/sys/health')",
                ], environment: environment)
            #expect(curl.succeeded, "\(curl.text)")
            #expect(Files.exists(scope.path("tls-secrets")))
            try Files.remove(scope.path("tls-secrets"))

            let plugin = try await vault.node.serve(environment: environment)
            let server = try await vault.node.apiServer()
            try await server.ask("boot", ["within": 60])
            #expect(!Files.exists(scope.path("tls-secrets")))
            try await plugin.stop()
        }
    }

    @Test("in the configuration it costs at most 5 MB of memory")
    func memory() async throws {
        try await TestScope.with { scope in
            let vault = try await VaultNode.make(scope)
            try vault.configure([vault.hsm, vault.backend])
            try await vault.node.initialize()
            try vault.configure([vault.hsm])
            let without = try await resident(vault, atMost: .max)
            try vault.configure([vault.hsm, vault.backend])
            _ = try await resident(vault, atMost: without + 5 * 1024)
        }
    }

    @Test("what went to Vault and came from it is not left in the plugin's memory")
    func residue() async throws {
        try await TestScope.with { scope in
            let vault = try await VaultNode.make(scope)
            try vault.configure([vault.backend])
            try await vault.node.initialize()
            let sealed = try vault.standIn.control("seen", "{\"forget\":true}")
            // As it went over the wire: the body is a text in a text.
            let match = try #require(sealed.firstMatch(of: /\\"plaintext\\":\\"([A-Za-z0-9+\/=]{44})\\"/))
            let plaintext = String(match.output.1)

            let plugin = try await vault.node.serve()
            let server = try await vault.node.apiServer()
            try await server.ask("boot", ["within": 60])
            let seen = try vault.standIn.control("seen")
            #expect(seen.contains("transit/decrypt/trousseau"))
            let tokens = seen.matches(of: /"token": "(s\.[^"]+)"/).map { String($0.output.1) }
            let token = try #require(tokens.last)
            let memory = ProcessMemory(pid: plugin.process.pid)
            // The search finds what is there: the token in secure memory, and nowhere else.
            try await eventually("one copy of the token", within: .seconds(30)) { try memory.count(token) == 1 }
            // Half of it is a find, too.
            for half in [plaintext.prefix(20), plaintext.suffix(20)] { #expect(try memory.count(String(half)) == 0) }
            for secret in vault.secrets { #expect(try memory.count(secret) == 0) }
            try await plugin.stop()
        }
    }

    /// The resident memory in kB of a plugin that serves and has asked all its backends: what only the start needed is
    /// given back then.
    private func resident(_ vault: VaultNode, atMost limit: Int) async throws -> Int {
        let plugin = try await vault.node.serve()
        let server = try await vault.node.apiServer()
        try await server.ask("boot", ["within": 60])
        var kilobytes = 0
        try await eventually("all backends were asked, and at most \(limit) kB", within: .seconds(60)) {
            let status = try JSON(parsing: try await vault.node.run("status", ["--output", "json"]).output)
            kilobytes = try plugin.measure("VmRSS")
            return status["backends"].array.allSatisfy { $0["state"].string == "ok" } && kilobytes <= limit
        }
        try await plugin.stop()
        return kilobytes
    }
}
