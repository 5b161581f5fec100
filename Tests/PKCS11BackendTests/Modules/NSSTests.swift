internal import TestSupport
internal import Testing

@Suite("NSS softoken")
struct NSSTests {
    /// What is hidden of its mechanisms, and what is chosen then.
    static let choices: [(hidden: [String], name: String, header: String)] = [
        ([], "AES-GCM, caller's IV", "0100001087010c"),
        (["set hide 0x1087"], "AES key wrap with padding (0x210b) by C_Encrypt", "010000210b0400"),
        (
            ["set hide 0x1087", "set hide 0x210b"], "AES key wrap with padding (0x210a) by C_Encrypt",
            "010000210a0400"
        ),
        (
            ["set hide 0x1087", "set flags 0x210b 0x60000", "set hide 0x210a"],
            "AES key wrap with padding (0x210b) by C_WrapKey", "010000210b0500"
        ),
    ]

    @Test("its AES mechanisms in the order of choice, and no altered seal opens", arguments: 0..<4)
    func aes(_ index: Int) async throws {
        let choice = NSSTests.choices[index]
        try await TestScope.with { scope in
            let token = try await NSSToken.make(scope)
            try await token.tool([
                "--keygen", "--key-type", "AES:32", "--label", "kek-sealer", "--id", "01", "--private", "--sensitive",
            ])
            try token.shim.script(lines: choice.hidden)
            let driver = try await token.driver(scope)
            let findings = try await driver.ask("diagnose")
            #expect(findings.contains { $0.contains("mechanism \(choice.name): chosen") }, "\(findings)")
            let seal = try await driver.ask("seal", "seal")
            #expect(seal.split(separator: " ")[3].hasPrefix(choice.header))
            let tampered = try await driver.ask("tamper \(seal)")
            #expect(tampered.contains { $0.hasPrefix("permanent=") } && tampered.count { $0.contains("=") } == 2)
            try await driver.end()
            let other = try await token.driver(scope)
            #expect(try await other.ask("unseal \(seal)", "opened") == seal.split(separator: " ")[2])
            #expect(try await other.ask("shutdown").contains("ended"))
        }
    }

    @Test("RSA-OAEP with SHA-256")
    func oaep() async throws {
        try await TestScope.with { scope in
            let token = try await NSSToken.make(scope)
            try await token.tool([
                "--keypairgen", "--key-type", "rsa:2048", "--label", "kek-sealer", "--id", "01", "--private",
                "--sensitive", "--usage-decrypt",
            ])
            // pkcs11-tool's private keys are extractable here.
            let driver = try await token.driver(scope, ["DRIVER_UNSAFE": "1"])
            let seal = try await driver.ask("seal", "seal")
            #expect(seal.split(separator: " ")[3].hasPrefix("01000000090600"))
            #expect(try await driver.ask("authenticated \(seal)", "authenticated") == "false")
            // Each takes its time: NSS reads the key from its database.
            let tampered = try await driver.ask("within 240000 tamper \(seal)", within: .seconds(250))
            #expect(tampered.contains("permanent=527") && tampered.contains("variants=527"), "\(tampered)")
            #expect(try await driver.ask("probe").contains("well"))
        }
    }
}
