internal import TestSupport
internal import Testing

@Suite("sealing by a SoftHSM token")
struct SealingTests {
    @Test("init makes a key once, which protects itself, and a seal opens again in another process")
    func roundTrip() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let first = try await Driver.start(scope, token)
            let made = try await first.ask("generate", "recipient")
            #expect(made.hasPrefix("pkcs11:") && made.hasSuffix("serves=true"))
            #expect(try await first.ask("generate", "recipient") == made)
            let objects = try await token.tool(["--list-objects"]).text
            #expect(objects.components("Secret Key Object") == 1)
            #expect(objects.contains("never extractable"))
            let seal = try await first.ask("seal", "seal")
            try await first.end()

            let second = try await Driver.start(scope, token)
            let opened = try await second.ask("unseal \(seal)", "opened")
            #expect(opened == seal.split(separator: " ")[2])
            #expect(try await second.ask("shutdown") == ["ended", "2 done"])
        }
    }

    @Test("no altered byte, truncation or addition of a seal opens, and none brings the token down")
    func tampering() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let spy = scope.path("spy")
            let driver = try await Driver.start(scope, token, spy: spy)
            _ = try await driver.ask("generate")
            let seal = try await driver.ask("seal", "seal")
            let answer = try await driver.ask("tamper \(seal)")
            // 67 bytes: 67 flipped, 67 cut, one longer.
            #expect(answer.filter { !$0.hasPrefix("log") } == ["permanent=135", "variants=135", "3 done"])
            #expect(try calls("C_Initialize", in: spy) == 1)
            #expect(try calls("C_Login", in: spy) == 1)
        }
    }

    @Test("the KEK's ID and the recipient are bound: a seal opens for neither another")
    func binding() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let driver = try await Driver.start(scope, token)
            _ = try await driver.ask("generate")
            var words = try await driver.ask("seal", "seal").split(separator: " ").map(String.init)
            words[2] = String(words[2].reversed())
            #expect(try await driver.ask("unseal \(words.joined(separator: " "))", "error").hasPrefix("permanent "))

            let other = try await Driver.start(scope, token, uri: "pkcs11:token=test;object=another")
            _ = try await other.ask("generate")
            let foreign = try await other.ask("seal", "seal")
            let refusal = try await driver.ask("unseal \(foreign)", "error")
            #expect(refusal.contains("permanent") && refusal.contains("is not the key on token"))
        }
    }

    @Test("an unseal is one C_Decrypt, and the key is searched for once")
    func callCounts() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let maker = try await Driver.start(scope, token)
            _ = try await maker.ask("generate")
            let seal = try await maker.ask("seal", "seal")
            try await maker.end()

            let spy = scope.path("spy")
            let driver = try await Driver.start(scope, token, spy: spy)
            _ = try await driver.ask("unseal \(seal)", "opened")
            #expect(try calls("C_Decrypt", in: spy) == 1)
            #expect(try calls("C_FindObjects", in: spy) == 1)
            for _ in 0..<5 { _ = try await driver.ask("unseal \(seal)", "opened") }
            #expect(try calls("C_Decrypt", in: spy) == 6)
            #expect(try calls("C_FindObjects", in: spy) == 1)
            #expect(try calls("C_Login", in: spy) == 1)
            _ = try await driver.ask("shutdown")
            #expect(try calls("C_Finalize", in: spy) == 1)
        }
    }

    @Test("many unseals at once all open, then a shutdown joins the threads")
    func storm() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let driver = try await Driver.start(scope, token)
            _ = try await driver.ask("generate")
            let seal = try await driver.ask("seal", "seal")
            #expect(try await driver.ask("storm \(seal) 64").contains("opened=64"))
            #expect(try await driver.ask("shutdown").contains("ended"))
            #expect(try await driver.ask("probe", "error").contains("shut down"))
        }
    }
}

extension String {
    /// How often `part` stands in it.
    func components(_ part: String) -> Int {
        var rest = self[...]
        var count = 0
        while let range = rest.firstRange(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
