internal import TestSupport
internal import Testing

@Suite("keys on a token")
struct KeyTests {
    @Test("a key made by pkcs11-tool without --private is refused, unless the operator insists")
    func unsafeKey() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            _ = try await token.tool(["--keygen", "--key-type", "AES:32", "--label", "kek-sealer", "--id", "01"])
            let driver = try await Driver.start(scope, token)
            let refusal = try await driver.ask("recipients", "error")
            #expect(refusal.hasPrefix("operatorMustAct ") && refusal.contains("CKA_PRIVATE"))
            #expect(try await driver.ask("generate", "error").contains("CKA_PRIVATE"))
            let insisting = try await Driver.start(scope, token, environment: ["DRIVER_UNSAFE": "1"])
            let answer = try await insisting.ask("recipients")
            #expect(answer.contains { $0.hasPrefix("recipient ") })
            #expect(answer.contains { $0.hasPrefix("log warning") && $0.contains("CKA_PRIVATE") })
        }
    }

    @Test("two keys of one label are refused with a list; an ID selects one")
    func duplicates() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            for id in ["0a", "0b"] {
                _ = try await token.tool([
                    "--keygen", "--key-type", "AES:32", "--label", "kek-sealer", "--id", id, "--private",
                    "--sensitive",
                ])
            }
            let driver = try await Driver.start(scope, token)
            let refusal = try await driver.ask("recipients", "error")
            #expect(refusal.contains("2 keys fit the URI") && refusal.contains("0a") && refusal.contains("0b"))
            let exact = try await Driver.start(scope, token, uri: "pkcs11:token=test;object=kek-sealer;id=%0b")
            _ = try await exact.ask("recipients", "recipient")
        }
    }

    @Test("two tokens of one label are refused with their serials")
    func duplicateTokens() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            _ = try await SoftToken.make(scope, label: "other")
            try await token.addTwin()
            let driver = try await Driver.start(scope, token)
            #expect(try await driver.ask("probe", "error").contains("2 tokens fit the URI"))
        }
    }

    @Test("what is missing is named: the key, the token, the module")
    func missing() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let noKey = try await Driver.start(scope, token)
            let key = try await noKey.ask("recipients", "error")
            #expect(key.hasPrefix("operatorMustAct ") && key.contains("init --generate-keys"))
            let noToken = try await Driver.start(scope, token, uri: "pkcs11:token=other;object=k")
            let absent = try await noToken.ask("probe", "error")
            #expect(absent.hasPrefix("reopen ") && absent.contains("\"other\"") && absent.contains("\"test\""))
            let noModule = try await Driver.start(
                scope, token, environment: ["DRIVER_MODULE": scope.path("none.so")])
            #expect(try await noModule.ask("probe", "error").contains("none.so is not there"))
        }
    }

    @Test("doctor finds everything in order, and changes nothing")
    func diagnosis() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let driver = try await Driver.start(scope, token)
            let before = try await driver.ask("diagnose")
            #expect(before.contains { $0.contains("finding error key") })
            _ = try await driver.ask("generate")
            let after = try await driver.ask("diagnose")
            #expect(after.count >= 8)
            #expect(after.dropLast().allSatisfy { $0.hasPrefix("finding ok ") })
        }
    }
}
