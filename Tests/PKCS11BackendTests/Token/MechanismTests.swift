internal import TestSupport
internal import Testing

/// A key, what its token is made to be, and the mechanism that has to be chosen.
struct MechanismCase: CustomTestStringConvertible, Sendable {
    let name: String
    let script: [String]
    var keyOptions = ["--keygen", "--key-type", "AES:32"]
    var environment: [String: String] = [:]
    /// Mechanism and style, as the seal begins, in hexadecimal.
    let header: String
    /// Bytes of the whole seal.
    let size: Int
    let isAuthenticated: Bool

    var testDescription: String { name }

    static let all: [MechanismCase] = [
        MechanismCase(
            name: "AES-GCM, caller's IV", script: [], header: "0100001087010c", size: 7 + 12 + 48,
            isAuthenticated: true),
        MechanismCase(
            name: "AES-GCM, HSM's IV by parameter", script: ["set iv written"], header: "0100001087020c",
            size: 7 + 12 + 48, isAuthenticated: true),
        MechanismCase(
            name: "AES-GCM, HSM's IV by parameter", script: ["set iv written", "set zeros 1"],
            header: "0100001087020c", size: 7 + 12 + 48, isAuthenticated: true),
        MechanismCase(
            name: "AES-GCM, HSM's IV appended", script: ["set iv appended"], header: "01000010870310",
            size: 7 + 16 + 48, isAuthenticated: true),
        MechanismCase(
            name: "AES key wrap with padding (0x210b) by C_Encrypt",
            script: ["set hide 0x1087", "set keywrap 0x210b rfc5649"], header: "010000210b0400", size: 7 + 72,
            isAuthenticated: true),
        MechanismCase(
            name: "AES key wrap with padding (0x210a) by C_Encrypt",
            script: ["set hide 0x1087", "set keywrap 0x210a rfc5649"], header: "010000210a0400", size: 7 + 72,
            isAuthenticated: true),
        MechanismCase(
            name: "AES key wrap with padding (0x210a) by C_Encrypt",
            script: ["set refuse 0x1087", "set keywrap 0x210a pkcs7"], header: "010000210a0400", size: 7 + 80,
            isAuthenticated: true),
        MechanismCase(
            name: "AES key wrap with padding (0x210a) by C_WrapKey", script: ["set hide 0x1087"],
            header: "010000210a0500", size: 7 + 72, isAuthenticated: true),
        MechanismCase(
            name: "RSA-OAEP with SHA-1", script: [],
            keyOptions: ["--keypairgen", "--key-type", "rsa:2048", "--usage-decrypt"],
            environment: ["DRIVER_SHA1": "1"], header: "01000000090700", size: 7 + 256, isAuthenticated: false),
    ]
}

@Suite("mechanisms, each over a token that has no better one")
struct MechanismTests {
    private func start(
        _ scope: TestScope, _ item: MechanismCase
    ) async throws -> (driver: Driver, shim: PKCS11Shim, token: SoftToken) {
        let token = try await SoftToken.make(scope)
        _ = try await token.tool(
            item.keyOptions + ["--label", "kek-sealer", "--id", "01", "--private", "--sensitive"])
        let shim = try PKCS11Shim(scope, over: token.module)
        try shim.script(lines: item.script)
        let driver = try await Driver.start(scope, token, shim: shim, environment: item.environment)
        return (driver, shim, token)
    }

    @Test("is chosen, seals, opens in another process, and says why", arguments: MechanismCase.all)
    func roundTrip(_ item: MechanismCase) async throws {
        try await TestScope.with { scope in
            let (driver, shim, token) = try await start(scope, item)
            _ = try await driver.ask("recipients", "recipient")
            let seal = try await driver.ask("seal", "seal")
            let words = seal.split(separator: " ")
            #expect(words[3].hasPrefix(item.header), "\(words[3])")
            #expect(words[3].utf8.count == 2 * item.size)
            #expect(try await driver.ask("authenticated \(seal)", "authenticated") == "\(item.isAuthenticated)")
            let findings = try await driver.ask("diagnose").filter { $0.hasPrefix("finding ") }
            let chosen = findings.filter { $0.contains(": chosen: ") }
            #expect(chosen.count == 1 && chosen[0].contains("mechanism \(item.name):"), "\(chosen)")
            #expect(findings.count { $0.contains(" mechanism ") && $0.hasPrefix("finding ok ") } >= 9)
            try await driver.end()

            let second = try await Driver.start(scope, token, shim: shim)
            #expect(try await second.ask("unseal \(seal)", "opened") == words[2])

            #expect(try shim.count("empty-ivs") == 0)
            #expect(try shim.count("objects") == 0)
        }
    }

    @Test("no altered byte, truncation or addition opens", arguments: MechanismCase.all)
    func tampering(_ item: MechanismCase) async throws {
        try await TestScope.with { scope in
            let (driver, shim, _) = try await start(scope, item)
            let seal = try await driver.ask("seal", "seal")
            let answer = try await driver.ask("tamper \(seal)").filter { !$0.hasPrefix("log") }
            let variants = 2 * item.size + 1
            #expect(answer == ["permanent=\(variants)", "variants=\(variants)", "2 done"])
            #expect(try shim.count("C_Login") == 1)
            #expect(try shim.count("C_Initialize") == 1)
            #expect(try shim.count("objects") == 0)
            #expect(try await driver.ask("unseal \(seal)", "opened") == seal.split(separator: " ")[2])
        }
    }

    @Test("the KEK's ID is bound", arguments: MechanismCase.all)
    func binding(_ item: MechanismCase) async throws {
        try await TestScope.with { scope in
            let (driver, _, _) = try await start(scope, item)
            var words = try await driver.ask("seal", "seal").split(separator: " ").map(String.init)
            words[2] = String(words[2].reversed())
            #expect(try await driver.ask("unseal \(words.joined(separator: " "))", "error").hasPrefix("permanent "))
        }
    }

    @Test("a token that pretends is refused, and says what it did")
    func pretenders() async throws {
        try await TestScope.with { scope in
            let item = MechanismCase.all[0]
            let (driver, shim, _) = try await start(scope, item)
            // The nonce is the same each time: no other mechanism of such a token is to be trusted.
            try shim.script("set iv fixed")
            let refusal = try await driver.ask("recipients", "error")
            #expect(refusal.hasPrefix("operatorMustAct ") && refusal.contains("two seals have one ciphertext"))
            // Flags that promise what is not there.
            try shim.script("set refuse 0x1087", "set flags 0x210a 0x300", "set flags 0x210b 0x60300")
            let lies = try await driver.ask("recipients", "error")
            #expect(lies.contains("AES-GCM, caller's IV: tried, and failed: C_EncryptInit: CKR_MECHANISM_INVALID"))
            #expect(lies.contains("(0x210a) by C_Encrypt: tried, and failed"))
            #expect(lies.contains("(0x210b) by C_WrapKey: tried, and failed"))
            #expect(lies.contains("not an RSA private key"))
            // Flags that are not there.
            try shim.script("set flags 0x1087 0x100", "set hide 0x210a")
            #expect(try await driver.ask("recipients", "error").contains("the token's CKM_AES_GCM lacks CKF_DECRYPT"))
            try shim.calm()
            _ = try await driver.ask("recipients", "recipient")
            #expect(try shim.count("objects") == 0)
        }
    }

    @Test("a key is made for what the token has")
    func generated() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let shim = try PKCS11Shim(scope, over: token.module)
            try shim.script("set hide 0x1087")
            let driver = try await Driver.start(scope, token, shim: shim)
            _ = try await driver.ask("generate", "recipient")
            let seal = try await driver.ask("seal", "seal")
            #expect(seal.split(separator: " ")[3].hasPrefix("010000210a0500"))
            let findings = try await driver.ask("diagnose").filter { $0.hasPrefix("finding ") }
            #expect(findings.allSatisfy { $0.hasPrefix("finding ok ") }, "\(findings)")
            // The key is good for nothing else, even where the token has more.
            try shim.calm()
            #expect(try await driver.ask("recipients", "recipient") != "")
            let again = try await driver.ask("seal", "seal")
            #expect(again.split(separator: " ")[3].hasPrefix("010000210a0500"))

            try shim.script("set hide 0x1087", "set hide 0x210a")
            let other = try await Driver.start(scope, token, shim: shim, uri: "pkcs11:token=test;object=another")
            #expect(try await other.ask("generate", "error").contains("no mechanism by which an AES key could seal"))
            #expect(try await token.tool(["--list-objects"]).text.components("Secret Key Object") == 1)
        }
    }

    @Test("SHA-1 needs the operator's word; a key's list of allowed mechanisms holds")
    func words() async throws {
        try await TestScope.with { scope in
            let item = MechanismCase.all[8]
            let (driver, shim, token) = try await start(scope, item)
            let seal = try await driver.ask("seal", "seal")
            let silent = try await Driver.start(scope, token, shim: shim)
            #expect(try await silent.ask("recipients", "error").contains("only by the operator's word (allowSHA1OAEP)"))
            // What was sealed before opens.
            _ = try await silent.ask("unseal \(seal)", "opened")

            _ = try await token.tool([
                "--keygen", "--key-type", "AES:32", "--label", "bound", "--id", "02", "--private", "--sensitive",
                "--allowed-mechanisms", "AES-CBC",
            ])
            let bound = try await Driver.start(scope, token, shim: shim, uri: "pkcs11:token=test;object=bound")
            let refusal = try await bound.ask("recipients", "error")
            #expect(refusal.contains("CKA_ALLOWED_MECHANISMS of the key leaves CKM_AES_GCM out"))
        }
    }
}
