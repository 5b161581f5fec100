import Glibc
import TestSupport
import Testing

@Suite("A node with a TPM", .serialized)
struct TPMTests {
    @Test("its TPM alone: after a power loss and a restart everything decrypts, and the local seal opens it")
    func reboot() async throws {
        try await TPMNode.with([.tpm()]) { node, tpm in
            let server = try await node.start()
            try await server.ask("write", ["count": 20])
            #expect(try await node.locals().map(\.state) == ["verified"])
            try await node.stop()
            try await tpm.losePower()
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            let keks = try await node.status()["keks"].array
            #expect(keks.map { $0["openedBy"].string } == ["node-tpm"])
            #expect(Files.exists(node.base.keyring + "/tpm/tpm-node-tpm.srk"))
            let doctor = try await node.base.run("doctor")
            #expect(doctor.output.contains("node-tpm"), "\(doctor.text)")
        }
    }

    @Test("HSM and TPM: with either one away a restart opens everything by the other")
    func either() async throws {
        try await TPMNode.with([.hsm, .tpm()]) { node, tpm in
            let server = try await node.start()
            try await server.ask("write", ["count": 20])
            try await node.stop()

            try Files.move(node.base.token.folder, to: node.base.scope.path("away"))
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await node.status()["keks"].array.map { $0["openedBy"].string } == ["node-tpm"])
            try await node.stop()
            try Files.move(node.base.scope.path("away"), to: node.base.token.folder)

            try await tpm.stop()
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await node.status()["keks"].array.map { $0["openedBy"].string } == ["rack-hsm"])
        }
    }

    @Test("a cleared TPM is told as that, the HSM opens, and the steps of docs/tpm.md enrol the TPM anew")
    func cleared() async throws {
        try await TPMNode.with([.tpm(), .hsm]) { node, tpm in
            let server = try await node.start()
            try await server.ask("write", ["count": 5])
            try await node.stop()
            try await tpm.tool("tpm2_clear")

            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            let before = try await node.base.run("status")
            #expect(before.output.contains("the TPM was replaced or cleared"), "\(before.text)")
            #expect(before.output.contains("restart the plugin"), "\(before.text)")
            let pin = node.base.keyring + "/tpm/tpm-node-tpm.srk"
            try Files.move(pin, to: node.base.scope.path("old.srk"))
            try await node.stop()
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            let resealed = try await node.base.run("reseal", ["--backend", "node-tpm", "--generate-keys"])
            #expect(resealed.succeeded, "\(resealed.text)")
            #expect(Files.exists(pin))
            try await node.stop()
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await node.status()["keks"].array.map { $0["openedBy"].string } == ["node-tpm"])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
        }
    }

    @Test("local/ lost: the TPM does not open the record's seal unasked; recover with the key_id does")
    func localLost() async throws {
        try await TPMNode.with([.tpm()]) { node, _ in
            let server = try await node.start()
            let keyID = try await node.status()["keyID"].string
            try await server.ask("write", ["count": 20])
            try await node.stop()
            try Files.remove(node.base.keyring + "/local")

            try await node.serve()
            try await eventually("status says what to do", within: .seconds(60)) {
                let state = try await node.status()["state"]
                return state["phase"].string == "blocked" && state["hint"].string.contains("trousseau recover")
            }
            try await node.stop()
            try Files.move(node.base.keyring, to: node.base.scope.path("lost"))
            let recovered = try await node.base.run(
                "recover", ["--from", node.base.scope.path("lost"), "--key-id", keyID, "--generate-keys"])
            #expect(recovered.succeeded, "\(recovered.text)")
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await node.locals().count == 2)
        }
    }

    @Test("a literal policy: another PCR is refused and named, the HSM opens; reseal seals to what is now")
    func literal() async throws {
        try await TPMNode.with(
            [.tpm(policy: "policy: {pcrs: [\"sha256:15\"]}"), .hsm],
            prepare: { tpm in
                try await tpm.extend()
            }
        ) { node, tpm in
            let server = try await node.start()
            try await server.ask("write", ["count": 5])
            try await node.stop()
            try await tpm.extend()

            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await node.status()["keks"].array.map { $0["openedBy"].string } == ["rack-hsm"])
            #expect(try await node.locals().contains { $0.problem.contains("PCR 15") })
            let resealed = try await node.base.run("reseal")
            #expect(resealed.succeeded, "\(resealed.text)")
            try await node.stop()
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await node.status()["keks"].array.map { $0["openedBy"].string } == ["node-tpm"])
        }
    }
}

/// A node whose configuration names a TPM in software.
private final class TPMNode {
    enum Backend {
        case hsm
        case tpm(policy: String = "")
    }

    let base: Node
    private var plugin: RunningPlugin?

    private init(_ base: Node) { self.base = base }

    /// - Parameter prepare: done to the TPM before `init`.
    static func with(
        _ backends: [Backend], prepare: (SoftTPM) async throws -> Void = { _ in },
        _ body: (TPMNode, SoftTPM) async throws -> Void
    ) async throws {
        try await TestScope.with { scope in
            let node = TPMNode(try await Node.make(scope))
            let tpm = try await SoftTPM.start(scope)
            try await tpm.tool("tpm2_startup", "-c")
            try await prepare(tpm)
            let parts = node.base.text(Node.Options()).split(separator: "backends:\n")
            let texts = backends.map { backend in
                switch backend {
                case .hsm: String(parts[1])
                case .tpm(let policy):
                    """
                    - name: node-tpm
                      deadline: 20s
                      tpm:
                        device: "\(tpm.tcti)"
                        idleClose: 100ms
                        \(policy)

                    """
                }
            }
            try Files.write(String(parts[0]) + "backends:\n" + texts.joined(), to: node.base.configuration)
            try await node.base.initialize()
            try await body(node, tpm)
        }
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

    /// The local seals of all KEKs.
    func locals() async throws -> [(state: String, problem: String)] {
        try await status()["keks"].array.flatMap { $0["seals"].array }.filter { $0["local"] == true }
            .map { ($0["state"].string, $0["problem"].string) }
    }
}

extension SoftTPM {
    /// Measures something into PCR 15.
    fileprivate func extend() async throws {
        try await tool("tpm2_pcrextend", "15:sha256=" + String(repeating: "ab", count: 32))
    }
}
