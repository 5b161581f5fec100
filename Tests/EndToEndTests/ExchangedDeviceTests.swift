import TestSupport
import Testing

@Suite("A device in another one's place", .serialized)
struct ExchangedDeviceTests {
    @Test("another token of the same label, key name and PIN gets no seal: status and reseal say what to do instead")
    func exchanged() async throws {
        try await Node.serving { node, plugin, server in
            try await server.ask("write", ["count": 20])
            let record = try node.record()
            let before = try await node.activeSeals()
            let own = try #require(before.first?["recipient"].string)

            // It is complete, and it takes our PIN.
            let foreign = try await TestScope.with { scope in
                let other = try await Node.make(scope)
                try await other.initialize()
                try await other.token.changePIN(to: Files.readText(node.token.pinFile))
                let away = node.scope.path("foreign")
                try Files.move(other.token.folder, to: away)
                return away
            }
            try Files.move(node.token.folder, to: node.scope.path("own"))
            try await eventually("the own token is missed", within: .seconds(90)) {
                try await node.backend()["state"].string == "failing"
            }
            try Files.move(foreign, to: node.token.folder)
            try await eventually("the other one has been probed", within: .seconds(90)) {
                try await node.backend()["state"].string == "ok"
            }

            // An operator's command that does not name it is refused. From then on the plugin knows the key that is
            // there, and the one that it has sealed to looks like nobody's: neither the background nor a second command
            // may take the seal for one that is missing.
            for _ in 1...2 {
                let refused = try await node.run("reseal")
                #expect(refused.exit == .code(1), "\(refused.text)")
                #expect(refused.output.contains("another one than \(own)"), "\(refused.text)")
                #expect(refused.output.contains("--backend rack-hsm"), "\(refused.text)")
                #expect(try node.record() == record)
                try await eventually("status says that it is another one", within: .seconds(90)) {
                    try await node.activeSeals().contains {
                        $0["state"].string == "missing" && $0["problem"].string.contains("another one than \(own)")
                            && $0["problem"].string.contains("trousseau reseal --backend rack-hsm")
                    }
                }
            }
            #expect(try node.record() == record)
            // What is in memory serves.
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])

            // Nor after a restart, when the active KEK does not even open.
            try await plugin.stop()
            let second = try await node.serve()
            try await eventually("the other token has refused the seal", within: .seconds(60)) {
                try await node.run("status").output.contains("is not the key on token")
            }
            #expect(try node.record() == record)
            try await second.stop()

            // The own one is back: nothing was lost.
            try Files.move(node.token.folder, to: foreign)
            try Files.move(node.scope.path("own"), to: node.token.folder)
            _ = try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await node.activeSeals().map { $0["recipient"].string } == [own])
        }
    }
}

extension Node {
    /// The bytes of the one record.
    fileprivate func record() throws -> [UInt8] {
        let names = try Files.list(keyring).filter { $0.hasSuffix(".record") }
        guard let name = names.first, names.count == 1 else { throw TestError("records: \(names)") }
        return try Files.read(keyring + "/" + name)
    }

    /// What `status --output json` says about the seals of the active KEK.
    fileprivate func activeSeals() async throws -> [JSON] {
        let result = try await run("status", ["--output", "json"])
        guard result.succeeded else { throw TestError("status: \(result.exit) \(result.text)") }
        return try JSON(parsing: result.output)["keks"].array.flatMap { $0["seals"].array }
    }
}

extension SoftToken {
    /// Gives the token's user another PIN.
    fileprivate func changePIN(to pin: String) async throws {
        let result = try await ChildProcess.run(
            "pkcs11-tool",
            [
                "--module", module, "--token-label", label, "--login", "--pin", "env:OLD", "--change-pin",
                "--new-pin", "env:NEW",
            ],
            environment: ["SOFTHSM2_CONF": configuration, "OLD": try Files.readText(pinFile), "NEW": pin])
        guard result.succeeded else { throw TestError("change-pin: \(result.text)") }
    }
}
