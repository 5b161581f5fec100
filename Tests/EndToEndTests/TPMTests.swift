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

    @Test("reseal --pcrs: before the update both states open, after it a reseal leaves the new one alone")
    func foretold() async throws {
        try await TPMNode.with(
            [.tpm(policy: "policy: {pcrs: [\"sha256:15\"]}")],
            prepare: { tpm in
                try await tpm.extend()
            }
        ) { node, tpm in
            let next = try await SoftTPM.valueAfter(2, node.base.scope)
            let server = try await node.start()
            try await server.ask("write", ["count": 5])
            for (text, why) in [
                ("sha256:15=00", "the value of PCR 15 is not 64 digits"),
                ("sha1:15=\(next)", "the bank sha1 is not used"),
                ("sha256:15", "no value is given"), ("sha256:24=\(next)", "is no number from 0 to 23"),
            ] {
                let refused = try await node.base.run("reseal", ["--pcrs", text])
                #expect(refused.exit == .code(2) && refused.text.contains(why), "\(refused.text)")
            }
            let other = try await node.base.run("reseal", ["--pcrs", "sha256:7=\(next)"])
            #expect(other.exit == .code(1) && other.output.contains("the policy is over sha256:15"), "\(other.text)")
            #expect(try await node.locals().count == 1)

            let sealed = try await node.base.run("reseal", ["--pcrs", "sha256:15=\(next)"])
            #expect(sealed.succeeded && sealed.output.contains("added"), "\(sealed.text)")
            #expect(try await node.locals().count == 2)
            let policies = try await node.status()["policies"].array
            #expect(policies.allSatisfy { $0["kind"] == "literal" && $0["bank"] == "sha256" && $0["pcrs"] == [15] })
            #expect(TPMNode.satisfied(policies) == [false, true])
            #expect(policies.filter { $0["satisfied"] == false }.map { $0["differing"] } == [[15]])
            let status = try await node.base.run("status")
            #expect(status.output.contains("not satisfied: PCR 15 differs"), "\(status.text)")
            #expect(!status.output.contains("is not satisfied now"), "\(status.text)")

            // The update did not come: the seal to the present state is still there.
            try await node.stop()
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])

            // It came.
            try await node.stop()
            try await tpm.extend()
            let files = try await node.status()
            #expect(files["running"] == false)
            #expect(TPMNode.satisfied(files["policies"].array) == [false, true])
            #expect(
                files["policies"].array.count { $0["differing"] == [15] } == 2, "the old local one, and the record's")
            try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(try await node.status()["keks"].array.map { $0["openedBy"].string } == ["node-tpm"])
            let after = try await node.base.run("reseal")
            #expect(after.succeeded && after.output.contains("dropped"), "\(after.text)")
            #expect(after.output.contains("renewed"), "the record's own: \(after.text)")
            #expect(try await node.locals().map(\.state) == ["verified"])

            // On the files, with no plugin.
            try await node.stop()
            let later = try await SoftTPM.valueAfter(3, node.base.scope)
            let onFiles = try await node.base.run("reseal", ["--pcrs", "15=\(later)", "--output", "json"])
            #expect(onFiles.succeeded, "\(onFiles.text)")
            #expect(try JSON(parsing: onFiles.output)["pcrs"].array.map(\.string) == ["15=\(later)"])
            #expect(try await node.status()["policies"].array.count { $0["local"] == true } == 2)
        }
    }

    @Test("a state that was not what the seal wants is looked at again: it opens without a restart")
    func stateComesBack() async throws {
        try await TPMNode.with(
            [.tpm(policy: "policy: {pcrs: [\"sha256:15\"]}")],
            prepare: { tpm in
                try await tpm.extend()
            }
        ) { node, tpm in
            let server = try await node.start()
            try await server.ask("write", ["count": 5])
            try await node.stop()
            try await tpm.extend()
            try await node.serve()
            try await eventually("status says which PCR differs", within: .seconds(60)) {
                let status = try await node.base.run("status")
                return status.output.contains("blocked") && status.output.contains("PCR 15 differs")
                    && status.output.contains("the policy literal sha256:15 is not satisfied now")
            }
            try await tpm.losePower()
            _ = try await tpm.attempt("tpm2_startup", ["-c"])
            try await tpm.extend()
            try await server.ask("boot", ["within": 90])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
        }
    }

    @Test("a signed policy: the signature of the booted image is picked up by the running plugin when it comes")
    func newSignature() async throws {
        try await TestScope.with { scope in
            for (image, text) in [("one", "kernel 1"), ("two", "kernel 2")] {
                try Files.write(text, to: scope.path(image))
            }
            let key = scope.path("signer")
            let made = try await ChildProcess.run(
                "/bin/sh",
                ["-c", "openssl genrsa -out \(key).key 2048 && openssl rsa -in \(key).key -pubout -out \(key).pem"],
                within: .seconds(60))
            #expect(made.succeeded, "\(made.text)")
            let policy = """
                policy: {signed: {pcrs: "sha256:11", publicKey: \(key).pem, signatures: \(key).json}}
                """
            try await TPMNode.with(
                [.tpm(policy: policy)],
                prepare: { tpm in
                    try await tpm.boot(scope.path("one"))
                    try await tpm.sign(scope.path("one"), by: key)
                }
            ) { node, tpm in
                let server = try await node.start()
                try await server.ask("write", ["count": 5])
                try await node.stop()
                try await tpm.boot(scope.path("two"))
                try await node.serve()
                try await eventually("status says that there is no signature", within: .seconds(60)) {
                    let status = try await node.base.run("status")
                    return status.output.contains("blocked") && status.output.contains("none for its present value")
                        && status.output.contains("signed sha256:11")
                }
                try await tpm.sign(scope.path("two"), by: key)
                try await server.ask("boot", ["within": 90])
                #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
                // It asks the TPM every few seconds only.
                try await eventually("status shows that it is satisfied", within: .seconds(60)) {
                    TPMNode.satisfied(try await node.status()["policies"].array) == [true]
                }
            }
        }
    }

    @Test("a TPM that is down costs status two seconds, and is shown as that; without a policy it says so")
    func statusWithoutTPM() async throws {
        try await TPMNode.with(
            [.tpm(policy: "policy: {pcrs: [\"sha256:15\"]}")],
            prepare: { tpm in
                try await tpm.extend()
            }
        ) { node, tpm in
            _ = try await node.start()
            tpm.send(SIGSTOP)
            let start = ContinuousClock.now
            let status = try await node.base.run("status")
            #expect(ContinuousClock.now - start < .seconds(4))
            tpm.send(SIGCONT)
            #expect(status.succeeded && status.output.contains("not known"), "\(status.text)")
            #expect(status.output.contains("is not known: "), "\(status.text)")
            try await tpm.stop()
            try await eventually("a TPM that does not take connections is told, too", within: .seconds(60)) {
                let policies = try await node.status()["policies"].array
                return policies.count == 2
                    && policies.allSatisfy { $0["satisfied"] == .null && $0["problem"].string.contains("connection") }
            }
        }
        try await TPMNode.with([.tpm()]) { node, _ in
            _ = try await node.start()
            let policies = try await node.status()["policies"].array
            #expect(
                policies.map { $0["kind"] } == ["none", "none"] && policies.map { $0["satisfied"] } == [true, true])
            let status = try await node.base.run("status")
            #expect(status.output.contains("opens whatever was booted"), "\(status.text)")
        }
    }

    @Test("an answer that is changed on the bus is counted in the metrics, and status says it")
    func alarm() async throws {
        let port = try Loopback.freePort()
        try await TPMNode.with([.tpm()], metrics: port, isWatched: true) { node, _ in
            _ = try await node.start()
            let proxy = try #require(node.proxy)
            func alarms() throws -> Double? {
                let answer = try HTTPResponse.get("/metrics", .port(UInt16(port)))
                return try ExpositionText(parsing: answer.body)
                    .value("trousseau_tpm_alarms_total", ["backend": "node-tpm"])
            }
            #expect(try alarms() == 0)
            proxy.inject(.alterAnswer, into: 0x15E)
            let resealed = try await node.base.run("reseal")
            #expect(resealed.succeeded, "\(resealed.text)")
            #expect(try alarms() == 1)
            #expect(try await node.status()["backends"].array.map { $0["alarms"] } == [1])
            let status = try await node.base.run("status")
            #expect(status.output.contains("look at the hardware"), "\(status.text)")
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
    fileprivate static func valueAfter(_ count: Int, _ scope: TestScope) async throws -> String {
        let twin = try await SoftTPM.start(scope, "twin\(count)")
        try await twin.tool("tpm2_startup", "-c")
        for _ in 0..<count { try await twin.extend() }
        let text = try await twin.tool("tpm2_pcrread", "sha256:15")
        try await twin.stop()
        guard let value = text.firstMatch(of: /0x([0-9A-Fa-f]{64})/) else { throw TestError(text) }
        return value.1.lowercased()
    }

    /// Boots an "image": PCR 11 begins anew, and systemd-stub and the boot's phases measure into it.
    fileprivate func boot(_ image: String) async throws {
        try await losePower()
        _ = try await attempt("tpm2_startup", ["-c"])
        let phases = ["enter-initrd", "leave-initrd", "sysinit", "ready"].map { "printf \($0)" }
        for measured in ["printf '.linux\\0'", "cat \(image)"] + phases {
            let hash = try await ChildProcess.run("/bin/sh", ["-c", "\(measured) | sha256sum"], within: .seconds(20))
            try await tool("tpm2_pcrextend", "11:sha256=\(hash.output.prefix(64))")
        }
    }

    /// Signs what booting the image brings about, as ukify has it done.
    fileprivate func sign(_ image: String, by key: String) async throws {
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
    fileprivate func extend() async throws {
        try await tool("tpm2_pcrextend", "15:sha256=" + String(repeating: "ab", count: 32))
    }
}
