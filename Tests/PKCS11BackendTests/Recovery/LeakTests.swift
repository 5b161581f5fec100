internal import TestSupport
internal import Testing

@Suite("nothing is left behind")
struct LeakTests {
    @Test("a thousand faults of sessions, handles and requests: no session, search, object or descriptor more")
    func thousand() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            let codes = CKRCode.session + CKRCode.handle + CKRCode.request
            let functions = ["C_DecryptInit", "C_Decrypt", "C_OpenSession", "C_FindObjects", "C_FindObjectsInit"]
            _ = try await service.driver.ask("unseals \(service.seal) 50")
            let descriptors = try service.driver.descriptors
            var injected = 0
            for round in 0..<40 where injected < 1000 {
                // Sixty faults a script; those of functions that are seldom called do not all take place.
                try service.shim.script(
                    lines: (0..<60).map { index in
                        let code = codes[(index + round) % codes.count].value
                        let function = functions[index < 50 ? index % 2 : index % functions.count]
                        return "at \(function) \(index < 50 ? index / 2 * 3 + 1 : index - 49) return \(code)"
                    })
                let answer = try await service.driver.ask("unseals \(service.seal) 90")
                #expect(!answer.contains { $0.hasPrefix("wrong") })
                injected = try service.shim.count("faults")
            }
            #expect(injected >= 1000)
            try service.shim.calm()
            try await service.recovers()
            #expect(try await service.driver.ask("unseals \(service.seal) 50").contains("opened=50"))
            #expect(try service.shim.count("open-sessions") <= 3)
            #expect(try service.shim.count("most-sessions") <= 6)
            #expect(try service.shim.count("open-finds") == 0)
            #expect(try service.driver.descriptors <= descriptors)
        }
    }

    @Test("a fault at every step of a wrap and an unwrap leaves no session object, and no wrong answer")
    func sessionObjects() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let shim = try PKCS11Shim(scope, over: token.module)
            try shim.script("set hide 0x1087")
            let driver = try await Driver.start(scope, token, shim: shim)
            _ = try await driver.ask("generate", "recipient")
            let seal = try await driver.ask("seal", "seal")
            for function in ["C_CreateObject", "C_WrapKey", "C_UnwrapKey", "C_GetAttributeValue", "C_DestroyObject"] {
                for code in [CKRCode.request[0]] + CKRCode.session + CKRCode.handle + [CKRCode.module[3]] {
                    try shim.script("set hide 0x1087", "at \(function) 1 return \(code.value)")
                    _ = try await driver.ask("seal")
                    try shim.script("set hide 0x1087", "at \(function) 1 return \(code.value)")
                    _ = try await driver.ask("unseal \(seal)")
                    try shim.script("set hide 0x1087")
                    try await driver.eventually("unseal \(seal)", "opened \(seal.split(separator: " ")[2])")
                    #expect(try shim.count("objects") == 0, "\(function) \(code.name)")
                }
            }
            #expect(try shim.count("open-sessions") <= 3)
        }
    }

    @Test("after a shutdown nothing is open")
    func shutdown() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            #expect(try await service.driver.ask("storm \(service.seal) 32").contains("opened=32"))
            #expect(try service.shim.count("open-sessions") >= 2)
            #expect(try await service.driver.ask("shutdown").contains("ended"))
            // By C_CloseSession, before C_Finalize.
            #expect(try service.shim.count("open-sessions") == 0)
            #expect(try service.calls("C_CloseSession") >= 2 && service.calls("C_Finalize") == 1)
        }
    }
}
