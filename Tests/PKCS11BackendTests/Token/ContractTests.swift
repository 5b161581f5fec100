internal import TestSupport
internal import Testing

@Suite("what every backend has to do")
struct ContractTests {
    @Test("a SoftHSM token keeps the contract")
    func contract() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            // Another key of the same token: a recipient that is not this backend's.
            let other = try await Driver.start(scope, token, uri: "pkcs11:token=test;object=another")
            let foreign = try await other.ask("generate", "recipient").split(separator: " ")
            try await other.end()

            let driver = try await Driver.start(scope, token)
            let answer = try await driver.ask("contract \(foreign[0]) \(foreign[1])")
            #expect(answer.filter { $0.hasPrefix("violation") } == [])
            #expect(answer.filter { $0.hasPrefix("kept") }.count == 15)
        }
    }
}
