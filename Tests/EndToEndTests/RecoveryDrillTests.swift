import TestSupport
import Testing

/// docs/recovery.md, walked: each of its commands is run as it stands there, with other folders and in a terminal.
@Suite("The way back of docs/recovery.md", .serialized)
struct RecoveryDrillTests {
    private static let passphrase = "correct horse battery staple"

    @Test("a token that is lost: old ciphertexts decrypt and a new key_id encrypts, in under a minute")
    func tokenLost() async throws {
        try await TestScope.with { scope in
            let place = try await Place(scope)
            try await place.run(
                "Before it is needed", block: 0,
                answers: [
                    ("passphrase for the private key: ", RecoveryDrillTests.passphrase),
                    ("the same again: ", RecoveryDrillTests.passphrase),
                ])
            #expect(try Files.mode(scope.path("media/trousseau-recovery.key")) == 0o600)
            let made = try await place.run("Before it is needed", block: 1)
            #expect(made.contains("recovery  unverified"), "\(made)")
            let keyID = try #require(Place.keyID(in: made))

            var plugin = try await place.serve()
            let seeds = (0..<8).map { "seed \($0) of 32 bytes, more or less" }
            var sealed: [String] = []
            for (index, seed) in seeds.enumerated() {
                sealed.append(try await place.encrypt(seed, api: index % 2 == 0 ? "v2" : "v1"))
            }
            try await place.stop(plugin)

            // The HSM is destroyed; its successor has another key under the same names.
            try Files.remove(scope.path("hsm"))
            try await place.makeToken()

            let start = ContinuousClock.now
            try await place.run("The HSM is lost", block: 0)
            let recovered = try await place.run(
                "The HSM is lost", block: 1,
                answers: [("printed it: ", keyID), ("trousseau-recovery.key: ", RecoveryDrillTests.passphrase)])
            #expect(recovered.contains("recovered  offline key"), "\(recovered)")
            let newKeyID = try #require(Place.keyID(in: recovered))
            plugin = try await place.serve()
            for (seed, ciphertext) in zip(seeds, sealed) { #expect(try await place.decrypt(ciphertext) == seed) }
            let fresh = try await place.encrypt(seeds[0], api: "v2")
            #expect(ContinuousClock.now - start < .seconds(60))

            #expect(newKeyID.hasPrefix("prod/2/") && keyID.hasPrefix("prod/1/"))
            #expect(try JSON(parsing: fresh)["keyID"].string == newKeyID)
            #expect(try JSON(parsing: sealed[0])["keyID"].string == keyID)
            #expect(try await place.decrypt(fresh) == seeds[0])
            let status = try await place.run("The HSM is lost", block: 2)
            #expect(status.contains("keyID: \(newKeyID)") && status.contains("decrypts only"), "\(status)")
            try await place.stop(plugin)

            // The new keyring needs no offline key: it opens by the new HSM.
            try Files.remove(scope.path("media/trousseau-recovery.key"))
            plugin = try await place.serve()
            #expect(try await place.decrypt(sealed[0]) == seeds[0])
            try await place.stop(plugin)
            #expect(!scope.allOutput.contains(RecoveryDrillTests.passphrase))
            #expect(!(made + recovered + status).contains(RecoveryDrillTests.passphrase))
        }
    }

    @Test("without this program, openssl opens a seal to the KEK of its record")
    func withoutTheProgram() async throws {
        try await TestScope.with { scope in
            let place = try await Place(scope)
            let answers = Array(
                repeating: (": ", RecoveryDrillTests.passphrase), count: 2)
            try await place.run("Before it is needed", block: 0, answers: answers)
            try await place.run("Before it is needed", block: 1)
            try await place.run("The HSM is lost", block: 0)
            let record = try #require(
                try Files.list(scope.path("lib/keyring.lost")).first { $0.hasSuffix(".record") })
            try await place.run(
                "Without this program", block: 0,
                answers: [("trousseau-recovery.key:", RecoveryDrillTests.passphrase)],
                replacing: ["1-example.record": record])
            let content = try Files.read(scope.path("media/kek"))
            #expect(content.count == 64)

            // The KEK's name comes from the KEK: KBKDF in counter mode, as docs/formats.md has it.
            try Files.write(content.prefix(32), to: scope.path("key"))
            let key = content.prefix(32).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            let derived = try await ChildProcess.run(
                "openssl",
                [
                    "kdf", "-keylen", "32", "-kdfopt", "mac:HMAC", "-kdfopt", "digest:SHA256", "-kdfopt",
                    "mode:COUNTER",
                    "-kdfopt", "hexkey:\(key)", "-kdfopt", "salt:id", "KBKDF",
                ])
            let kekID = derived.output.filter { $0 != ":" && $0 != "\n" }.lowercased()
            #expect(kekID.count == 64)
            let text = try Files.readText(scope.path("lib/keyring.lost/\(record)"))
            #expect(text.contains("kekID:      \(kekID)"), "\(derived.text) in \(text)")
        }
    }

    @Test("a wrong passphrase, a wrong key_id and an existing keyring are refused, and change nothing")
    func refusals() async throws {
        try await TestScope.with { scope in
            let place = try await Place(scope)
            let answers = Array(repeating: (": ", RecoveryDrillTests.passphrase), count: 2)
            try await place.run("Before it is needed", block: 0, answers: answers)
            let keyID = try #require(Place.keyID(in: try await place.run("Before it is needed", block: 1)))
            let before = try Snapshot(of: scope.path("lib/keyring"))
            try Files.write(RecoveryDrillTests.passphrase + "\n", to: scope.path("passphrase"))
            try Files.write("correct horse battery stable\n", to: scope.path("wrong"))
            func recover(_ arguments: [String]) async throws -> ChildProcess.Result {
                try await place.program(
                    [
                        "recover", "--config", scope.path("etc/config.yaml"), "--from", scope.path("lib/keyring"),
                        "--key", scope.path("media/trousseau-recovery.key"),
                    ] + arguments)
            }
            let existing = try await recover(["--key-id", keyID, "--passphrase-file", scope.path("passphrase")])
            #expect(existing.exit == .code(4) && existing.errors.contains("there is a keyring already"))
            let wrong = try await recover(["--key-id", keyID, "--passphrase-file", scope.path("wrong")])
            #expect(wrong.exit == .code(1) && wrong.errors.contains("the passphrase is wrong"), "\(wrong.text)")
            let other = try await recover(
                ["--key-id", "prod/1/aaaaaaaaaaaaaaaa/aaaaaaaa", "--passphrase-file", scope.path("passphrase")])
            #expect(other.exit == .code(4) && other.errors.contains("no record is that of key_id"), "\(other.text)")
            let text = try await recover(["--key-id", "prod", "--passphrase-file", scope.path("passphrase")])
            #expect(text.exit == .code(2))
            #expect(try before.changes == [])

            // A new key never replaces one.
            let again = try await place.program([
                "recovery-key", "new", "--out-key", scope.path("media/trousseau-recovery.key"), "--out-certificate",
                scope.path("media/other.pem"), "--passphrase-file", scope.path("passphrase"),
            ])
            #expect(again.exit == .code(1) && again.errors.contains("exists already"))
            #expect(!Files.exists(scope.path("media/other.pem")))
        }
    }
}

/// The machine of the document: its folders are in a scope's.
private struct Place {
    let scope: TestScope
    private let document: String
    private let environment: [String: String]

    init(_ scope: TestScope) async throws {
        self.scope = scope
        document = try Files.readText(PackageSources.root + "/docs/recovery.md")
        environment = [
            "SOFTHSM2_CONF": scope.path("hsm/softhsm2.conf"), "PATH": scope.path("bin") + ":/usr/bin:/bin",
        ]
        for folder in ["bin", "etc", "lib", "run", "run-control", "media"] {
            try Files.makeDirectory(scope.path(folder))
        }
        // Not a link: the test's own libraries lie beside the program.
        try Files.write("#!/bin/sh\nexec '\(try Program.path)' \"$@\"\n", to: scope.path("bin/trousseau"), mode: 0o700)
        try await makeToken()
    }

    /// An initialized token, and the configuration that names it.
    func makeToken() async throws {
        let token = try await SoftToken.make(scope, label: "trousseau")
        try Files.write(
            """
            apiVersion: trousseau/v1alpha1
            kind: PluginConfiguration
            keyring: {name: prod, directory: \(scope.path("lib/keyring"))}
            server:
              allowUnlockedMemory: true
              socket: {path: \(scope.path("run/kms.sock"))}
              control: {path: \(scope.path("run-control/control.sock"))}
            backends:
            - name: rack-hsm
              pkcs11: {module: \(token.module), key: "pkcs11:token=trousseau;object=kek-sealer", pinSource: \(token.pinFile)}
            - name: recovery
              recovery: {certificate: \(scope.path("etc/recovery.pem"))}

            """, to: scope.path("etc/config.yaml"))
    }

    /// Runs one of a section's blocks of commands in a terminal.
    ///
    /// - Returns: what the terminal showed.
    @discardableResult
    func run(
        _ section: String, block: Int, answers: [(prompt: String, answer: String)] = [],
        replacing replacements: [String: String] = [:]
    ) async throws -> String {
        let blocks = try commands(of: section)
        guard blocks.indices.contains(block) else { throw TestError("\(section) has \(blocks.count) blocks") }
        var text = blocks[block]
        let folders = [
            "/etc/trousseau": scope.path("etc"), "/var/lib/trousseau": scope.path("lib"),
            "/run/trousseau": scope.path("run"), "/media/offline": scope.path("media"),
        ]
        for (from, to) in folders.merging(replacements, uniquingKeysWith: { $1 }) {
            text = text.replacing(from, with: to)
        }
        try Files.write(text, to: scope.path("commands"))
        let script = PackageSources.root + "/Tests/EndToEndTests/foreign/terminal.py"
        let input = try answers.map { try JSON.array([.string($0.prompt), .string($0.answer)]).text + "\n" }.joined()
        let result = try await ChildProcess.run(
            "/usr/bin/python3", [script, "sh", "-eu", scope.path("commands")], environment: environment,
            input: Array(input.utf8), within: .seconds(150))
        guard result.succeeded else { throw TestError("\(text): \(result.exit)\n\(result.text)") }
        return result.output.replacing("\r\n", with: "\n")
    }

    /// The blocks of `sh` of a section, in order.
    private func commands(of section: String) throws -> [String] {
        let sections = document.split(separator: "\n## ")
        guard let text = sections.first(where: { $0.hasPrefix(section + "\n") }) else {
            throw TestError("docs/recovery.md has no section \"\(section)\"")
        }
        var blocks: [String] = []
        var block: String?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let words = line.drop { $0 == " " }
            if words == "```sh" {
                block = ""
            } else if words == "```", let end = block {
                blocks.append(end)
                block = nil
            } else {
                block?.append(line + "\n")
            }
        }
        return blocks
    }

    func program(_ arguments: [String], input: String = "") async throws -> ChildProcess.Result {
        try await ChildProcess.run(
            try Program.path, arguments, environment: environment, input: Array(input.utf8), within: .seconds(60))
    }

    /// As systemd does; returns once it answers.
    func serve() async throws -> ChildProcess {
        let plugin = try scope.start(
            try Program.path, ["serve", "--config", scope.path("etc/config.yaml")], environment: environment)
        try await eventually("the plugin serves", within: .seconds(60)) {
            guard plugin.isRunning else { throw TestError("serve ended: \(plugin.errors)") }
            return try await program(["kms", "status", "--socket", scope.path("run/kms.sock")]).succeeded
        }
        return plugin
    }

    func stop(_ plugin: ChildProcess) async throws {
        let result = try await program(["stop", "--config", scope.path("etc/config.yaml")])
        guard result.succeeded else { throw TestError("stop: \(result.text)") }
        _ = try await plugin.waitForExit(within: .seconds(30))
    }

    func encrypt(_ seed: String, api: String) async throws -> String {
        let result = try await program(
            ["kms", "encrypt", "--socket", scope.path("run/kms.sock"), "--api", api], input: seed)
        guard result.succeeded else { throw TestError("encrypt: \(result.text)") }
        return result.output
    }

    func decrypt(_ sealed: String) async throws -> String {
        let api = try JSON(parsing: sealed)["api"].string
        let result = try await program(
            ["kms", "decrypt", "--socket", scope.path("run/kms.sock"), "--api", api], input: sealed)
        guard result.succeeded else { throw TestError("decrypt: \(result.text)") }
        return result.output
    }

    /// The last key_id in a text: before it, a terminal shows the one that was typed.
    static func keyID(in text: String) -> String? {
        text.matches(of: /prod\/[0-9]+\/[a-z2-7]{16}\/[a-z2-7]{8}/).last.map { String($0.output) }
    }
}
