import TestSupport
import Testing

@Suite("A TPM that wants more than before", .serialized)
struct OutdatedSealTests {
    /// The program's answers about the seals.
    private struct Setting {
        let node: Node
        let tpm: SoftTPM

        func configure(_ settings: String) throws {
            let parts = node.text(Node.Options()).split(separator: "backends:\n")
            let text = """
                - name: node-tpm
                  deadline: 20s
                  tpm:
                    device: "\(tpm.tcti)"
                    idleClose: 100ms
                    \(settings)

                """
            try Files.write(String(parts[0]) + "backends:\n" + text + String(parts[1]), to: node.configuration)
        }

        func seals(_ command: String, _ arguments: [String] = []) async throws -> (exit: Bool, seals: [JSON]) {
            let result = try await node.run(command, arguments + ["--output", "json"])
            let answer = try JSON(parsing: result.output)
            let seals = answer["keks"].array.flatMap { $0["seals"].array } + answer["seals"].array
            return (result.succeeded, seals.filter { $0["backend"] == "node-tpm" })
        }

        /// The seals in the record, or the local ones.
        func seal(isLocal: Bool) async throws -> JSON? {
            try await seals("status").seals.first { ($0["local"] == true) == isLocal && $0["state"] != "tombstone" }
        }

        /// Once maintenance has asked the TPM for its key.
        func outdated() async throws -> JSON {
            var found: JSON?
            try await eventually("status says that the seal is outdated", within: .seconds(60)) {
                found = try await seal(isLocal: false)
                return found?["outdated"].string.isEmpty == false
            }
            return try #require(found)
        }
    }

    private func with(_ body: (Setting) async throws -> Void) async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let tpm = try await SoftTPM.start(scope)
            try await tpm.tool("tpm2_startup", "-c")
            try await tpm.tool("tpm2_pcrextend", "15:sha256=" + String(repeating: "ab", count: 32))
            let setting = Setting(node: node, tpm: tpm)
            try setting.configure("")
            try await node.initialize()
            try await body(setting)
        }
    }

    @Test("a policy: the seals without it are called outdated, and reseal makes both anew")
    func policy() async throws {
        try await with { setting in
            let node = setting.node
            try setting.configure("policy: {pcrs: [\"sha256:15\"]}")
            let plugin = try await node.serve()
            let server = try await node.apiServer()
            try await server.ask("boot", ["within": 60])
            let old = try await setting.outdated()
            #expect(old["state"] == "verified" && old["verifiedBy"] == "node-tpm")
            #expect(old["outdated"].string.contains("run trousseau reseal"))
            let doctor = try await node.run("doctor")
            #expect(doctor.output.contains("is outdated: made under another policy"), "\(doctor.text)")
            let text = try await node.run("status")
            #expect(text.output.contains("verified, outdated"), "\(text.text)")
            #expect(text.output.contains("ago by node-tpm"), "\(text.text)")

            let report = try await setting.seals("reseal")
            #expect(report.exit)
            #expect(report.seals.first { $0["local"] != true }?["outcome"] == "renewed")
            for isLocal in [true, false] {
                let seal = try #require(try await setting.seal(isLocal: isLocal))
                #expect(seal["state"] == "verified" && seal["outdated"].string.isEmpty)
            }
            // Both are bound to the state now.
            try await setting.tpm.tool("tpm2_pcrextend", "15:sha256=" + String(repeating: "cd", count: 32))
            try await plugin.stop()
            let changed = try await node.serve()
            try await server.ask("boot", ["within": 60])
            try await eventually("neither opens", within: .seconds(60)) {
                let seals = try await setting.seals("status").seals
                return seals.count { $0["problem"].string.contains("PCR 15") } == 2
            }
            try await changed.stop()
        }
    }

    @Test("a PIN: reseal fails on the seal in the record, which opens without it, until that is dropped")
    func pin() async throws {
        try await with { setting in
            let node = setting.node
            let pin = node.scope.path("tpm.pin")
            try Files.write("correct horse\n", to: pin)
            try setting.configure("pinSource: \(pin)")
            let plugin = try await node.serve()
            let server = try await node.apiServer()
            try await server.ask("boot", ["within": 60])
            #expect(try await setting.outdated()["outdated"].string.contains("--drop-replaced"))

            let first = try await setting.seals("reseal")
            #expect(!first.exit)
            let shared = try #require(first.seals.first { $0["local"] != true })
            #expect(shared["outcome"] == "failed")
            #expect(shared["note"].string.contains("opens without what node-tpm wants today (a PIN)"))
            #expect(shared["hint"].string.contains("--drop-replaced"))
            let local = first.seals.filter { $0["local"] == true }.map { $0["outcome"].string }
            // The background may have made the new one already.
            #expect(local.count == 2 && local.contains("dropped") && !local.contains("failed"), "\(local)")
            let doctor = try await node.run("doctor")
            #expect(doctor.exit == .code(1) && doctor.output.contains("--drop-replaced"), "\(doctor.text)")

            let second = try await setting.seals("reseal", ["--drop-replaced", "--yes"])
            #expect(second.exit)
            #expect(second.seals.first { $0["local"] != true }?["outcome"] == "dropped")
            #expect(try await setting.seal(isLocal: false) == nil)
            #expect(try await node.run("reseal").succeeded)
            try await plugin.stop()
            try Files.move(node.token.folder, to: node.scope.path("away"))
            let third = try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await setting.seal(isLocal: true)?["state"] == "verified")
            try await third.stop()
        }
    }
}
