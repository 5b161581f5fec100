import TestSupport
import Testing

/// A node whose configuration names a TPM in software.
final class TPMNode {
    enum Backend {
        case hsm
        case tpm(policy: String = "")
    }

    let base: Node
    private var plugin: RunningPlugin?
    /// Between the program and the TPM, when that was wanted.
    private(set) var proxy: TPMProxy?

    private init(_ base: Node) { self.base = base }

    /// - Parameters:
    ///   - metrics: the port of them.
    ///   - isWatched: with a proxy before the TPM.
    ///   - prepare: done to the TPM before `init`.
    static func with(
        _ backends: [Backend], metrics: Int? = nil, isWatched: Bool = false,
        prepare: (SoftTPM) async throws -> Void = { _ in },
        _ body: (TPMNode, SoftTPM) async throws -> Void
    ) async throws {
        try await TestScope.with { scope in
            let node = TPMNode(try await Node.make(scope))
            let tpm = try await SoftTPM.start(scope)
            try await tpm.tool("tpm2_startup", "-c")
            try await prepare(tpm)
            if isWatched { node.proxy = try TPMProxy(scope, before: tpm) }
            defer { node.proxy?.stop() }
            let device = node.proxy?.tcti ?? tpm.tcti
            let parts = node.base.text(Node.Options()).split(separator: "backends:\n")
            let texts = backends.map { backend in
                switch backend {
                case .hsm: String(parts[1])
                case .tpm(let policy):
                    """
                    - name: node-tpm
                      deadline: 20s
                      tpm:
                        device: "\(device)"
                        idleClose: 100ms
                        \(policy)

                    """
                }
            }
            let operations = metrics.map { "metrics: {listen: \"127.0.0.1:\($0)\"}\n" } ?? ""
            try Files.write(
                String(parts[0]) + "backends:\n" + texts.joined() + operations, to: node.base.configuration)
            try await node.base.initialize()
            try await body(node, tpm)
        }
    }

    /// With a policy over PCR 15, as it is after one `extend`.
    static func withLiteral(beside others: [Backend] = [], _ body: (TPMNode, SoftTPM) async throws -> Void) async throws
    {
        try await with(
            [.tpm(policy: "policy: {pcrs: [\"sha256:15\"]}")] + others, prepare: { tpm in try await tpm.extend() }, body
        )
    }

    func start() async throws -> APIServer {
        try await serve()
        let server = try await base.apiServer()
        try await server.ask("boot", ["within": 60])
        return server
    }

    func serve() async throws { plugin = try await base.serve() }

    func stop() async throws {
        let ended = try await plugin?.stop()
        #expect(ended?.exit == .code(0), "\(ended?.text ?? "it did not run")")
    }

    func status() async throws -> JSON {
        let result = try await base.run("status", ["--output", "json"])
        guard result.succeeded else { throw TestError("status: \(result.exit) \(result.text)") }
        return try JSON(parsing: result.output)
    }

    /// Of the local seals' policies, in no order: how many are satisfied cannot be told from where they stand.
    static func satisfied(_ policies: [JSON]) -> [Bool] {
        let local = policies.filter { $0["local"] == true }.map { $0["satisfied"] == true }
        return local.filter { !$0 } + local.filter { $0 }
    }

    /// The local seals of all KEKs.
    func locals() async throws -> [(state: String, problem: String)] {
        try await status()["keks"].array.flatMap { $0["seals"].array }.filter { $0["local"] == true }
            .map { ($0["state"].string, $0["problem"].string) }
    }
}

extension SoftTPM {
    /// The value of PCR 15 after so many of `extend`, as another TPM has it.
    static func valueAfter(_ count: Int, _ scope: TestScope) async throws -> String {
        let twin = try await SoftTPM.start(scope, "twin\(count)")
        try await twin.tool("tpm2_startup", "-c")
        for _ in 0..<count { try await twin.extend() }
        let text = try await twin.tool("tpm2_pcrread", "sha256:15")
        try await twin.stop()
        guard let value = text.firstMatch(of: /0x([0-9A-Fa-f]{64})/) else { throw TestError(text) }
        return value.1.lowercased()
    }

    /// Boots an "image": PCR 11 begins anew, and systemd-stub and the boot's phases measure into it.
    func boot(_ image: String) async throws {
        try await losePower()
        _ = try await attempt("tpm2_startup", ["-c"])
        let phases = ["enter-initrd", "leave-initrd", "sysinit", "ready"].map { "printf \($0)" }
        for measured in ["printf '.linux\\0'", "cat \(image)"] + phases {
            let hash = try await ChildProcess.run("/bin/sh", ["-c", "\(measured) | sha256sum"], within: .seconds(20))
            try await tool("tpm2_pcrextend", "11:sha256=\(hash.output.prefix(64))")
        }
    }

    /// Signs what booting the image brings about, as ukify has it done.
    func sign(_ image: String, by key: String) async throws {
        let result = try await ChildProcess.run(
            "/lib/systemd/systemd-measure",
            [
                "sign", "--linux=\(image)", "--bank=sha256", "--private-key=\(key).key", "--public-key=\(key).pem",
                "--tpm2-device=\(tcti)",
            ], within: .seconds(120))
        guard result.succeeded else { throw TestError("systemd-measure (package systemd): \(result.text)") }
        try Files.write(result.output, to: key + ".json")
    }

    /// Measures something into PCR 15.
    func extend() async throws {
        try await tool("tpm2_pcrextend", "15:sha256=" + String(repeating: "ab", count: 32))
    }
}
