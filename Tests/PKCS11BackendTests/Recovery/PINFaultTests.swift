internal import TestSupport
internal import Testing

@Suite("PINs that a token refuses, by the count of C_Login")
struct PINFaultTests {
    @Test("in service: one C_Login, then none until the file changes, whoever asks", arguments: CKRCode.pin)
    func inService(_ code: CKRCode) async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("at C_DecryptInit 1 logout", "at C_Login * return \(code.value)")
            let answer = try await service.unseal()
            #expect(answer.hasPrefix("operatorMustAct C_Login: \(code.name)"), "\(answer)")
            for _ in 0..<3 { #expect(try await service.unseal().hasPrefix("operatorMustAct ")) }
            _ = try await service.driver.ask("probe", "error")
            _ = try await service.driver.ask("diagnose")
            try service.shim.calm()
            #expect(try await service.unseal().hasPrefix("operatorMustAct "))
            #expect(try service.calls("C_Login") == 1)
            try await service.driver.end()

            let next = try await Driver.start(scope, service.token, shim: service.shim)
            #expect(try await next.ask("unseal \(service.seal)", "error").hasPrefix("operatorMustAct "))
            #expect(try service.calls("C_Login") == 1)
            try Files.write(try Files.read(service.token.pinFile), to: service.token.pinFile)
            #expect(try await next.ask("unseal \(service.seal)", "opened") != "")
            #expect(try service.calls("C_Login") == 2)
        }
    }

    @Test("at start: one C_Login in all, over three processes", arguments: CKRCode.pin)
    func atStart(_ code: CKRCode) async throws {
        try await TestScope.with { scope in
            let service = try await Service.beforeStart(scope, ["at C_Login * return \(code.value)"])
            #expect(try await service.unseal().hasPrefix("operatorMustAct C_Login: \(code.name)"))
            #expect(try await service.unseal().hasPrefix("operatorMustAct "))
            try await service.driver.end()
            for _ in 0..<2 {
                let next = try await Driver.start(scope, service.token, shim: service.shim)
                #expect(try await next.ask("unseal \(service.seal)", "error").hasPrefix("operatorMustAct "))
                try await next.end()
            }
            #expect(try service.calls("C_Login") == 1)
        }
    }

    @Test(
        "a token that says few attempts are left gets none",
        arguments: [
            ("CKF_USER_PIN_COUNT_LOW", 0x10000), ("CKF_USER_PIN_FINAL_TRY", 0x20000), ("CKF_USER_PIN_LOCKED", 0x40000),
        ])
    func flags(_ flag: (name: String, value: Int)) async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("set tokenflags \(flag.value)", "at C_DecryptInit 1 logout")
            for _ in 0..<3 {
                let answer = try await service.unseal()
                #expect(answer.hasPrefix("operatorMustAct ") && answer.contains(flag.name), "\(answer)")
            }
            let start = try await Driver.start(scope, service.token, shim: service.shim)
            #expect(try await start.ask("probe", "error").contains(flag.name))
            #expect(try service.calls("C_Login") == 0)
            // Logged in by hand: the flag is gone, and no restart is needed.
            try service.shim.calm()
            #expect(try await service.unseal() == "opened")
            #expect(try await start.ask("probe").contains("well"))
            #expect(try service.calls("C_Login") == 2)
        }
    }
}
