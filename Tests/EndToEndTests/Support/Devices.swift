import Glibc
import Synchronization
import TestSupport
import Testing

/// A device that a test can put into each condition of docs/failures.md. Another kind of device is one more value.
struct Device: Sendable {
    enum Condition: String, Sendable, CaseIterable {
        case up, down, slow, lying, wrongCredentials

        /// Every combination of three devices.
        static let combinations: [[Condition]] = allCases.flatMap { first in
            allCases.flatMap { second in allCases.map { [first, second, $0] } }
        }
    }

    /// The backend's in the configuration.
    let name: String
    /// Its item of the configuration's list, with a deadline.
    let section: @Sendable (_ deadline: String) -> String
    let play: @Sendable (Condition) async throws -> Void
    let mend: @Sendable (Condition) async throws -> Void
}

/// A node with an HSM, a Vault and a TPM.
final class Devices {
    let vault: VaultNode
    let all: [Device]
    private(set) var keyID = ""
    private let shim: PKCS11Shim
    private var conditions: [Device.Condition] = [.up, .up, .up]

    var node: Node { vault.node }

    /// Runs `body` with three devices that are up, and a keyring that all have sealed.
    static func with(isInitialized: Bool = true, _ body: (Devices) async throws -> Void) async throws {
        try await TestScope.with { scope in
            var options = Node.Options()
            options.isShimmed = true
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
        shim = try #require(node.shim)
        let tokens = try Files.list(node.token.folder)
        all = [
            try await Device.hsm("rack-hsm", node, folder: try #require(tokens.first)),
            Device.vault(vault),
            try await Device.tpm("node-tpm", node.scope),
        ]
    }

    /// Writes the configuration.
    ///
    /// - Parameters:
    ///   - deadlines: one for each; by default what an answer takes on a busy machine.
    ///   - extra: more sections.
    func configure(
        minimumSeals: Int? = nil, deadlines: [String] = ["2s", "5s", "5s"], extra: String = ""
    ) throws {
        try vault.configure(zip(all, deadlines).map { $0.section($1) } + [extra])
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
    func logins() throws -> Int { try shim.count("C_Login") }

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
