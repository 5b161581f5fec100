internal import TestSupport
internal import Testing

@Suite("PINs")
struct PINTests {
    @Test("a wrong PIN is sent once in all, over three processes, and the corrected file logs in")
    func wrongPIN() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let maker = try await Driver.start(scope, token)
            _ = try await maker.ask("generate")
            try await maker.end()

            let right = try Files.read(token.pinFile)
            let pin = scope.path("pin")
            try Files.write("wrong", to: pin)
            let spy = scope.path("spy")
            for attempt in 0..<3 {
                let driver = try await Driver.start(scope, token, pin: pin, spy: spy)
                let refusal = try await driver.ask("probe", "error")
                #expect(refusal.hasPrefix("operatorMustAct "))
                #expect(
                    refusal.hasSuffix("correct the PIN in \(pin); nothing is sent to the token until that file changes")
                )
                #expect(refusal.contains("CKR_PIN_INCORRECT") == (attempt == 0))
                _ = try await driver.ask("probe", "error")
                _ = try await driver.ask("diagnose")
                try await driver.end()
            }
            #expect(try calls("C_Login", in: spy) == 1)

            // SoftHSM says COUNT_LOW now; the refused PIN was ours and its file has changed.
            try Files.write(right, to: pin)
            let driver = try await Driver.start(scope, token, pin: pin, spy: spy)
            #expect(try await driver.ask("probe").contains("well"))
            #expect(try calls("C_Login", in: spy) == 2)
            #expect(try Files.list(scope.path("guard")).allSatisfy { !$0.hasSuffix(".pin-guard") })
        }
    }

    @Test("a running process takes the corrected PIN without a restart, but not a file that was only touched")
    func correction() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let maker = try await Driver.start(scope, token)
            _ = try await maker.ask("generate")
            try await maker.end()

            let right = try Files.read(token.pinFile)
            let pin = scope.path("pin")
            try Files.write("wrong", to: pin)
            let spy = scope.path("spy")
            let driver = try await Driver.start(scope, token, pin: pin, spy: spy)
            _ = try await driver.ask("probe", "error")
            try Files.write("wrong", to: pin)
            #expect(try await driver.ask("probe", "error").contains("still holds a PIN that was refused"))
            #expect(try calls("C_Login", in: spy) == 1)
            try Files.write(right + [10], to: pin)
            #expect(try await driver.ask("probe").contains("well"))
            #expect(try calls("C_Login", in: spy) == 2)
        }
    }

    @Test("a token that counts wrong PINs of somebody else is left alone unless told otherwise")
    func countLow() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let maker = try await Driver.start(scope, token)
            _ = try await maker.ask("generate")
            try await maker.end()
            let stranger = try await ChildProcess.run(
                "pkcs11-tool",
                ["--module", token.module, "--token-label", "test", "--login", "--pin", "env:PIN", "--list-objects"],
                environment: ["SOFTHSM2_CONF": token.configuration, "PIN": "0000"])
            #expect(!stranger.succeeded)

            let spy = scope.path("spy")
            let careful = try await Driver.start(scope, token, spy: spy)
            #expect(try await careful.ask("probe", "error").contains("CKF_USER_PIN_COUNT_LOW"))
            #expect(try calls("C_Login", in: spy) == 0)
            let told = try await Driver.start(scope, token, spy: spy, environment: ["DRIVER_COUNT_LOW": "1"])
            #expect(try await told.ask("probe").contains("well"))
        }
    }

    @Test("without a place to remember a refused PIN, none is sent")
    func noGuardFolder() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let spy = scope.path("spy")
            let driver = try await Driver.start(
                scope, token, spy: spy, environment: ["DRIVER_GUARD": scope.path("nowhere")])
            #expect(try await driver.ask("probe", "error").contains("PIN guard"))
            #expect(try calls("C_Login", in: spy) == 0)
        }
    }

    @Test("a refusal that could not be written down is not risked: not a single C_Login")
    func noRoom() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let maker = try await Driver.start(scope, token)
            _ = try await maker.ask("generate")
            try await maker.end()
            // The login left its lock behind, and with it the name.
            let lock = try #require(try Files.list(scope.path("guard")).first { $0.hasSuffix(".pin-guard.lock") })
            #expect(try Files.list(scope.path("guard")) == [lock])
            try Files.makeDirectory(scope.path("guard/\(lock.dropLast(5)).new"))

            try Files.write("wrong", to: scope.path("pin"))
            let spy = scope.path("spy")
            for _ in 0..<3 {
                let driver = try await Driver.start(scope, token, pin: scope.path("pin"), spy: spy)
                let refusal = try await driver.ask("probe", "error")
                #expect(
                    refusal.hasPrefix("operatorMustAct PIN guard ") && refusal.contains("cannot write"), "\(refusal)")
                try await driver.end()
            }
            #expect(try calls("C_Login", in: spy) == 0)
        }
    }

    @Test("nothing that is printed holds a PIN")
    func secrecy() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            try Files.write("very-secret-77", to: scope.path("pin"))
            let driver = try await Driver.start(scope, token, pin: scope.path("pin"))
            _ = try await driver.ask("generate")
            _ = try await driver.ask("diagnose")
            #expect(!scope.allOutput.contains("very-secret"))
            for name in try Files.list(scope.path("guard")) {
                #expect(!(try Files.readText(scope.path("guard/\(name)")).contains("very-secret")))
            }
        }
    }
}
