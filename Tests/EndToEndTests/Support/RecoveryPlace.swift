import TestSupport

/// The machine of docs/recovery.md: its folders are in a scope's.
struct RecoveryPlace {
    /// In the order of the configuration.
    enum Backend {
        case hsm, tpm, vault, recovery
    }

    let scope: TestScope
    let tpm: SoftTPM?
    private(set) var vault: VaultStandIn?
    private let certificates: Certificates?
    private let document: String
    private let environment: [String: String]
    private let backends: [Backend]

    /// With a token, and the other devices that the backends want.
    static func make(
        _ scope: TestScope, _ backends: [Backend] = [.hsm, .recovery]
    ) async throws -> RecoveryPlace {
        let certificates = backends.contains(.vault) ? try await Certificates.make(scope) : nil
        try await certificates?.issue("server", names: "IP:127.0.0.1")
        let tpm = backends.contains(.tpm) ? try await SoftTPM.start(scope) : nil
        var place = try RecoveryPlace(scope, backends, tpm, certificates)
        if backends.contains(.vault) { try await place.makeVault("vault") }
        try await place.makeToken()
        return place
    }

    private init(
        _ scope: TestScope, _ backends: [Backend], _ tpm: SoftTPM?, _ certificates: Certificates?
    ) throws {
        self.scope = scope
        self.backends = backends
        self.tpm = tpm
        self.certificates = certificates
        document = try Files.readText(PackageSources.root + "/docs/recovery.md")
        environment = [
            "SOFTHSM2_CONF": scope.path("hsm/softhsm2.conf"), "PATH": scope.path("bin") + ":/usr/bin:/bin",
        ]
        for folder in ["bin", "etc", "lib", "run", "run-control", "media"] {
            try Files.makeDirectory(scope.path(folder))
        }
        // Not a link: the test's own libraries lie beside the program.
        try Files.write("#!/bin/sh\nexec '\(try Program.path)' \"$@\"\n", to: scope.path("bin/trousseau"), mode: 0o700)
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

            """ + backends.map { section($0, token) }.joined(), to: scope.path("etc/config.yaml"))
    }

    /// A Vault with a key of its own, and the node's credentials for it; the configuration is written by `makeToken`.
    mutating func makeVault(_ name: String) async throws {
        guard let certificates else { throw TestError("no backend is a Vault") }
        let vault = try await VaultStandIn.start(scope, name, certificates: certificates, root: "root-of-the-test")
        try vault.prepare(credentialsIn: scope.path("etc"))
        self.vault = vault
    }

    private func section(_ backend: Backend, _ token: SoftToken) -> String {
        switch backend {
        case .hsm:
            """
            - name: rack-hsm
              pkcs11: {module: \(token.module), key: "pkcs11:token=trousseau;object=kek-sealer", pinSource: \(token.pinFile)}

            """
        case .tpm:
            """
            - name: node-tpm
              tpm: {device: "\(tpm?.tcti ?? "")", idleClose: 100ms}

            """
        case .vault:
            """
            - name: vault
              vault:
                address: "https://127.0.0.1:\(vault?.port ?? 0)"
                key: trousseau
                appRole: {roleIDFile: \(scope.path("etc/role-id")), secretIDFile: \(scope.path("etc/secret-id"))}
                tls: {caFile: \(certificates?.authority ?? "")}

            """
        case .recovery:
            """
            - name: recovery
              recovery: {certificate: \(scope.path("etc/recovery.pem"))}

            """
        }
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
        let lines = document.split(separator: "\n", omittingEmptySubsequences: false)
        guard let title = lines.firstIndex(where: { $0 == "## \(section)" || $0 == "### \(section)" }) else {
            throw TestError("docs/recovery.md has no section \"\(section)\"")
        }
        var blocks: [String] = []
        var block: String?
        for line in lines[(title + 1)...].prefix(while: { !$0.hasPrefix("## ") && !$0.hasPrefix("### ") }) {
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

    /// What `status` says, as JSON.
    func status() async throws -> JSON {
        let result = try await program(["status", "--config", scope.path("etc/config.yaml"), "--output", "json"])
        guard result.succeeded else { throw TestError("status: \(result.text)") }
        return try JSON(parsing: result.output)
    }

    /// The backend that has opened the active KEK.
    func opener() async throws -> String {
        try await status()["keks"].array.first { $0["role"] == "active" }?["openedBy"].string ?? ""
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
