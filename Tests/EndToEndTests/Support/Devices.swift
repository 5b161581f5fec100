import Glibc
import Synchronization
import TestSupport
import Testing

/// A device that a test can put into each condition of docs/failures.md. Another kind of device is one more value.
struct Device: Sendable {
    enum Condition: String, Sendable, CaseIterable { case up, down, slow, lying, wrongCredentials }

    /// The backend's in the configuration.
    let name: String
    /// Its item of the configuration's list.
    let section: String
    let play: @Sendable (Condition) async throws -> Void
    let mend: @Sendable (Condition) async throws -> Void
}

/// A node with an HSM, a Vault and a TPM.
final class Devices {
    let vault: VaultNode
    let all: [Device]
    private(set) var keyID = ""
    private let spy: PKCS11Spy
    private var conditions: [Device.Condition] = [.up, .up, .up]

    var node: Node { vault.node }

    /// Runs `body` with three devices that are up, and a keyring that all have sealed.
    static func with(isInitialized: Bool = true, _ body: (Devices) async throws -> Void) async throws {
        try await TestScope.with { scope in
            var options = Node.Options()
            options.isSpied = true
            let vault = try await VaultNode.make(scope, options)
            let devices = try await Devices(vault)
            try devices.configure()
            if isInitialized { devices.keyID = try await vault.node.initialize() }
            try await body(devices)
            try await devices.mend()
        }
    }

    private init(_ vault: VaultNode) async throws {
        self.vault = vault
        let node = vault.node
        spy = try #require(node.spy)
        let tokens = try Files.list(node.token.folder)
        all = [
            try await Devices.hsm("rack-hsm", node, node.token, folder: try #require(tokens.first)),
            Devices.vault(vault),
            try await Devices.tpm("node-tpm", node.scope),
        ]
    }

    /// Writes the configuration.
    func configure(minimumSeals: Int? = nil) throws {
        try vault.configure(all.map(\.section))
        guard let minimumSeals else { return }
        let text = try Files.readText(node.configuration)
        let name = "  name: e2e\n"
        let parts = text.split(separator: name, maxSplits: 1)
        try Files.write(
            parts.joined(separator: "\(name)  minimumSeals: \(minimumSeals)\n"), to: node.configuration)
    }

    /// A kube-apiserver that has written a hundred seeds; the plugin has ended.
    func written() async throws -> APIServer {
        let plugin = try await node.serve()
        let server = try await node.apiServer()
        try await server.ask("boot", ["within": 60])
        try await server.ask("write", ["count": 100])
        try await plugin.stop()
        return server
    }

    func play(_ conditions: [Device.Condition]) async throws {
        try await mend()
        self.conditions = conditions
        for (device, condition) in zip(all, conditions) { try await device.play(condition) }
    }

    func mend() async throws {
        for (device, condition) in zip(all, conditions) { try await device.mend(condition) }
        conditions = [.up, .up, .up]
    }

    func status() async throws -> JSON {
        let result = try await node.run("status", ["--output", "json"])
        guard result.succeeded else { throw TestError("status: \(result.text)") }
        return try JSON(parsing: result.output)
    }

    /// Waits until the running plugin has seen that all of them are up.
    func expectAllWell(within limit: Duration) async throws {
        var failing: [JSON] = []
        do {
            try await eventually("all are up", within: limit) {
                failing = try await status()["backends"].array.filter { $0["state"] != "ok" }
                return failing.isEmpty
            }
        } catch {
            throw TestError("\(try failing.map { try $0.text })")
        }
    }

    /// How often a PIN was sent to a token.
    func logins() throws -> Int { try spy.calls("C_Login") }

    /// No more than one: a refused PIN is not sent again.
    func expectOneLogin(since before: Int) throws { #expect(try logins() - before <= 1) }

    /// With all of them back the same keyring opens and reads everything.
    func expectNothingLost(_ server: APIServer) async throws {
        try await mend()
        let plugin = try await node.serve()
        #expect(try await server.ask("boot", ["within": 60])["keyID"].string == keyID)
        #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
        #expect(try await plugin.stop().exit == .code(0))
    }
}

extension Devices {
    private static func hsm(_ name: String, _ node: Node, _ token: SoftToken, folder: String) async throws -> Device {
        let pin = node.scope.path("\(name).pin")
        let right = try Files.read(token.pinFile)
        try Files.write(right, to: pin)
        let (there, away) = ("\(token.folder)/\(folder)", node.scope.path("\(name).away"))
        let copy = node.scope.path("\(name).copy")
        return Device(
            name: name,
            section: """
                - name: \(name)
                  deadline: 2s
                  pkcs11: {module: \(node.spy?.module ?? token.module), key: "\(token.uri)", pinSource: \(pin)}

                """
        ) { condition in
            switch condition {
            case .up: break
            case .down: try Files.move(there, to: away)
            case .wrongCredentials: try Files.write("wrong-4711", to: pin)
            case .lying:
                // Another key of the same name, on the same token.
                let copied = try await ChildProcess.run("cp", ["-a", there, copy])
                guard copied.succeeded else { throw TestError("cp: \(copied.text)") }
                _ = try await token.tool(["--delete-object", "--type", "secrkey", "--label", "kek-sealer"])
                _ = try await token.tool(["--keygen", "--key-type", "AES:32", "--label", "kek-sealer", "--sensitive"])
            case .slow: throw TestError("SoftHSM runs in the plugin: it cannot be slow")
            }
        } mend: { condition in
            switch condition {
            case .up, .slow: break
            case .down: try Files.move(away, to: there)
            case .wrongCredentials: try Files.write(right, to: pin)
            case .lying:
                try Files.move(there, to: away)
                try Files.move(copy, to: there)
                try await remove(away)
            }
        }
    }

    /// swtpm, which a restart finds at the same socket.
    private static func tpm(_ name: String, _ scope: TestScope) async throws -> Device {
        let tpm = Shared(try await SoftTPM.start(scope, name))
        let (folder, away) = (scope.path(name), scope.path("\(name).away"))
        return Device(
            name: name,
            section: """
                - name: \(name)
                  deadline: 5s
                  tpm: {device: "\(tpm.value.tcti)"}

                """
        ) { condition in
            switch condition {
            case .up: break
            case .down: try await tpm.value.stop()
            case .slow: tpm.value.send(SIGSTOP)
            case .lying:
                try await tpm.value.stop()
                try Files.move(folder, to: away)
                tpm.value = try await SoftTPM.start(scope, name)
            case .wrongCredentials: throw TestError("it has no PIN")
            }
        } mend: { condition in
            switch condition {
            case .up, .wrongCredentials: break
            case .down: tpm.value = try await SoftTPM.start(scope, name)
            case .slow: tpm.value.send(SIGCONT)
            case .lying:
                try await tpm.value.stop()
                try await remove(folder)
                try Files.move(away, to: folder)
                tpm.value = try await SoftTPM.start(scope, name)
            }
        }
    }

    private final class Shared: Sendable {
        private let state: Mutex<SoftTPM>
        init(_ tpm: SoftTPM) { state = Mutex(tpm) }
        var value: SoftTPM {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    private static func remove(_ folder: String) async throws {
        let removed = try await ChildProcess.run("rm", ["-r", folder])
        guard removed.succeeded else { throw TestError("rm: \(removed.text)") }
    }

    private static func vault(_ vault: VaultNode) -> Device {
        let (standIn, secretID) = (vault.standIn, vault.node.scope.path("secret-id"))
        let right = vault.secrets[0]
        return Device(name: "vault", section: vault.backend) { condition in
            switch condition {
            case .up: break
            case .down: try standIn.control("seal", "{\"sealed\":true}")
            // Its connections are accepted by the kernel, and nobody answers.
            case .slow: standIn.process.send(SIGSTOP)
            case .wrongCredentials:
                try standIn.control("revoke")
                try Files.write("wrong-4711", to: secretID)
            case .lying: throw TestError("Vault's seals are authenticated: another key refuses them")
            }
        } mend: { condition in
            switch condition {
            case .up, .lying: break
            case .down: try standIn.control("seal", "{\"sealed\":false}")
            case .slow: standIn.process.send(SIGCONT)
            case .wrongCredentials: try Files.write(right, to: secretID)
            }
        }
    }
}
