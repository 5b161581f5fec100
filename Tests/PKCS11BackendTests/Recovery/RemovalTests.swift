internal import TestSupport
internal import Testing

@Suite("a token that goes and comes back")
struct RemovalTests {
    @Test("the token's folder moved away makes the probe fail and say why; moved back, it recovers by itself")
    func awayAndBack() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let spy = scope.path("spy")
            let driver = try await Driver.start(scope, token, spy: spy)
            _ = try await driver.ask("generate")
            let seal = try await driver.ask("seal", "seal")
            #expect(try await driver.ask("probe").contains("well"))

            try Files.move(token.folder, to: token.folder + ".away")
            let failure = try await driver.ask("probe", "error")
            #expect(failure.hasPrefix("reopen "))
            #expect(try await driver.ask("unseal \(seal)", "error").hasPrefix("reopen "))

            try Files.move(token.folder + ".away", to: token.folder)
            try await eventually("the token is back", within: .seconds(20)) {
                try await driver.ask("probe").contains("well")
            }
            _ = try await driver.ask("unseal \(seal)", "opened")
            #expect(try await driver.ask("shutdown").contains("ended"))
        }
    }

    @Test("a start without the token waits for it")
    func absentAtStart() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let maker = try await Driver.start(scope, token)
            _ = try await maker.ask("generate")
            let seal = try await maker.ask("seal", "seal")
            try await maker.end()
            try Files.move(token.folder, to: token.folder + ".away")
            let driver = try await Driver.start(scope, token)
            #expect(try await driver.ask("unseal \(seal)", "error").hasPrefix("reopen "))
            try Files.move(token.folder + ".away", to: token.folder)
            try await eventually("the token is there", within: .seconds(20)) {
                try await driver.ask("unseal \(seal)").contains { $0.hasPrefix("opened ") }
            }
        }
    }

    @Test("another token of the same name in its place, while it was in use: a key is made on that one")
    func replaced() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let driver = try await Driver.start(scope, token)
            let first = try await driver.ask("generate", "recipient")
            _ = try await driver.ask("seal", "seal")
            try Files.remove(scope.path("hsm"))
            _ = try await SoftToken.make(scope)
            try await driver.eventually("generate", "recipient")
            let second = try await driver.ask("recipients", "recipient")
            #expect(first.split(separator: " ").first != second.split(separator: " ").first)
            _ = try await driver.ask("seal", "seal")
        }
    }
}
