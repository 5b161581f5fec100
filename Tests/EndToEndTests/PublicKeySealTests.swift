import TestSupport
import Testing

@Suite("An HSM that has only RSA", .serialized)
struct PublicKeySealTests {
    @Test("opens a keyring on the operator's word, which init asks for, and on no other")
    func trusted() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            _ = try await node.token.tool([
                "--keypairgen", "--key-type", "rsa:2048", "--label", "rsa-sealer", "--id", "07", "--usage-decrypt",
                "--private", "--sensitive",
            ])
            try Files.write(text(node, trusted: nil), to: node.configuration)
            let made = try await node.run("init")
            #expect(made.succeeded, "\(made.text)")
            let keyID = try #require(Node.keyID(in: made.output))
            #expect(made.output.contains("trustedKeyIDs: [\(keyID)]"), "\(made.text)")

            // Without the word nothing is opened, and the reason says what to do.
            let first = try await node.serve()
            try await eventually("the plugin says why", within: .seconds(60)) {
                let status = try await node.run("status")
                return status.output.contains("keyring.trustedKeyIDs")
            }
            try await first.stop()

            // The word for another KEK does not help.
            let parts = keyID.split(separator: "/")
            let other = "e2e/1/\(String(parts[2].reversed()))/\(parts[3])"
            try Files.write(text(node, trusted: other), to: node.configuration)
            let second = try await node.serve()
            try await eventually("the plugin says why", within: .seconds(60)) {
                let status = try await node.run("status")
                return status.output.contains("keyring.trustedKeyIDs")
            }
            try await second.stop()

            try Files.write(text(node, trusted: keyID), to: node.configuration)
            let third = try await node.serve()
            let server = try await node.apiServer()
            try await server.ask("boot", ["within": 60])
            try await server.ask("write", ["count": 5])
            try await third.stop()
            let fourth = try await node.serve()
            try await server.ask("boot", ["within": 60])
            #expect(try await server.ask("read")["codes"].counts.keys.sorted() == ["OK"])
            #expect(fourth.process.isRunning)
        }
    }

    private func text(_ node: Node, trusted: String?) -> String {
        let text = node.text(Node.Options())
            .replacing("object=kek-sealer", with: "object=rsa-sealer")
            .replacing("    pinSource:", with: "    allowSHA1OAEP: true\n    pinSource:")
        guard let trusted else { return text }
        return text.replacing("  name: e2e\n", with: "  name: e2e\n  trustedKeyIDs: [\(trusted)]\n", maxReplacements: 1)
    }
}
