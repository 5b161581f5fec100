internal import TestSupport
internal import Testing

@Suite("two backends by one module")
struct SharedModuleTests {
    @Test("one that falls leaves the other alone; when both have, the module is made anew for both")
    func both() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let shim = try PKCS11Shim(scope, over: token.module)
            try shim.calm()
            let driver = try await Driver.start(
                scope, token, shim: shim, environment: ["DRIVER_SECOND_KEY": "pkcs11:token=test;object=other"])
            _ = try await driver.ask("generate", "recipient")
            _ = try await driver.ask("second generate", "recipient")
            let first = try await driver.ask("seal", "seal")
            let second = try await driver.ask("second seal", "seal")
            #expect(try shim.count("C_Initialize") == 1)

            // A hiccup of one: the other has its sessions and its login, and nothing is finalized under it.
            try shim.script("at C_Decrypt 1 return 0x30")
            try await driver.eventually("unseal \(first)", "opened")
            _ = try await driver.ask("second unseal \(second)", "opened")
            #expect(try shim.count("C_Finalize") == 0)

            // The library itself: as soon as both have noticed, by a health probe at the latest.
            try shim.script("at C_Decrypt 1 die 0x30")
            #expect(try await driver.ask("unseal \(first)", "error").hasPrefix("reopen "))
            try await driver.eventually("second unseal \(second)", "opened")
            try await driver.eventually("unseal \(first)", "opened")
            #expect(try shim.count("C_Finalize") >= 1)
            #expect(try await driver.ask("shutdown").contains("ended"))
            _ = try await driver.ask("second unseal \(second)", "opened")
            #expect(try await driver.ask("second shutdown").contains("ended"))
            #expect(try shim.count("open-sessions") == 0)
        }
    }
}
