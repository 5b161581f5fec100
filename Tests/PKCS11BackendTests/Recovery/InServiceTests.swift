internal import TestSupport
internal import Testing

@Suite("recovery in service, level by level")
struct InServiceTests {
    @Test("request: the request fails for good, and nothing is made anew", arguments: CKRCode.request)
    func request(_ code: CKRCode) async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            for function in ["C_DecryptInit", "C_Decrypt"] {
                try service.shim.script("at \(function) 1 return \(code.value)")
                let answer = try await service.unseal()
                #expect(answer.hasPrefix("permanent \(function): \(code.name)"), "\(answer)")
                #expect(try await service.unseal() == "opened")
            }
            #expect(try service.calls("C_Login") == 0 && service.calls("C_Initialize") == 0)
            // One that stays after C_DecryptInit has an operation left in it, which shows itself at its next use.
            #expect(try service.calls("C_OpenSession") <= 1)
        }
    }

    @Test("session: another session, at once; twice in a row is the caller's turn", arguments: CKRCode.session)
    func session(_ code: CKRCode) async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("at C_DecryptInit 1 return \(code.value)")
            #expect(try await service.unseal() == "opened")
            #expect(try service.calls("C_OpenSession") == 1 && service.calls("C_CloseSession") == 1)
            try service.shim.script("at C_DecryptInit 1-2 return \(code.value)")
            #expect(try await service.unseal().hasPrefix("reopen C_DecryptInit: \(code.name)"))
            #expect(try await service.unseal() == "opened")
            #expect(try service.calls("C_Login") == 0 && service.calls("C_Initialize") == 0)
            #expect(try service.shim.count("open-sessions") <= 2)
        }
    }

    @Test("all sessions gone behind our back: login and key are found again")
    func dropped() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("at C_DecryptInit 1 drop")
            #expect(try await service.unseal() == "opened")
            #expect(try service.calls("C_Login") == 1)
            try service.shim.script("at C_DecryptInit 1 logout")
            #expect(try await service.unseal() == "opened")
            #expect(try service.calls("C_Login") == 2 && service.calls("C_Initialize") == 0)
            #expect(try service.shim.count("open-sessions") == 2)
        }
    }

    @Test("count: what there is has to do, down to the one session of the login")
    func sessionCount() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("at C_OpenSession * return \(CKRCode.count.value)")
            #expect(try await service.driver.ask("storm \(service.seal) 24").contains("opened=24"))
            // The one session that was left goes, too.
            try service.shim.script(
                "at C_DecryptInit 1 return \(CKRCode.session[3].value)",
                "at C_OpenSession * return \(CKRCode.count.value)")
            #expect(try await service.unseal() == "opened")
            #expect(try await service.driver.ask("storm \(service.seal) 8").contains("opened=8"))
            #expect(try service.shim.count("open-sessions") == 1)
            #expect(try service.calls("C_Login") == 0 && service.calls("C_Initialize") == 0)
        }
    }

    @Test("handle: login, find the key, once more", arguments: CKRCode.handle)
    func handle(_ code: CKRCode) async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("at C_DecryptInit 1 return \(code.value)")
            #expect(try await service.unseal() == "opened")
            #expect(try service.calls("C_Login") == 1 && service.calls("C_FindObjects") == 1)
            #expect(try service.calls("C_Initialize") == 0)
            #expect(try service.shim.count("open-finds") == 0)
        }
    }

    @Test("module: everything anew, with a round trip before anything is served", arguments: CKRCode.module)
    func module(_ code: CKRCode) async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            // Comes back at once, then only after C_Finalize.
            for action in ["return", "die"] {
                let earlier = try service.calls("C_Initialize")
                try service.shim.script("at C_Decrypt 1 \(action) \(code.value)")
                try await service.recovers()
                #expect(try service.calls("C_Initialize") == earlier + 1)
            }
            #expect(try service.calls("C_Finalize") >= 2 && service.calls("C_Login") == 2)
            // The canaries.
            #expect(try service.calls("C_Encrypt") == 2)
            #expect(try service.shim.count("open-sessions") <= 3)
        }
    }

    @Test("a module that cannot even be finalized leaves no session behind")
    func finalizeFails() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            for action in ["return", "die", "return", "die"] {
                try service.shim.script("at C_Decrypt 1 \(action) 0x30", "at C_Finalize 1-3 return 0x05")
                try await service.recovers()
            }
            #expect(try service.shim.count("open-sessions") <= 3)
        }
    }

    @Test("CKR_GENERAL_ERROR: a canary tells a bad request from a bad module")
    func generalError() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            // Once only: the canary passes, and so does the second attempt.
            try service.shim.script("at C_Decrypt 1 return 5")
            #expect(try await service.unseal() == "opened")
            // The request twice, the canaries between pass.
            try service.shim.script("at C_Decrypt 1 return 5", "at C_Decrypt 3 return 5")
            #expect(try await service.unseal().hasPrefix("permanent C_Decrypt: CKR_GENERAL_ERROR"))
            #expect(try service.calls("C_Initialize") == 0 && service.calls("C_Login") == 0)
            // The canary, too.
            try service.shim.script("at C_Decrypt 1-2 return 5")
            try await service.recovers()
            #expect(try service.calls("C_Initialize") == 1)
        }
    }

    @Test("a token that does not answer the health probe is the module's fault, by any code", arguments: [5, 7])
    func silentToken(_ code: Int) async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("at C_GetTokenInfo 1 return \(code)")
            let answer = try await service.driver.ask("probe")
            #expect(answer.contains("well") || answer.contains { $0.hasPrefix("error reopen ") }, "\(answer)")
            try await service.driver.eventually("probe", "well")
            #expect(try service.calls("C_Initialize") == 1)
        }
    }

    @Test("slot numbers that shift: the token is found by its label, and no PIN goes to another")
    func shiftingSlots() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("set slots 7", "at C_DecryptInit 1 drop")
            try await service.recovers()
            _ = try await SoftToken.make(scope, label: "other")
            // The module sees the new token after it was made anew.
            try service.shim.script("at C_Decrypt 1 die 0x30")
            try await service.recovers()
            let logins = try service.calls("C_Login")
            // The old number now is the other token's.
            try service.shim.script("set rotate 1", "at C_DecryptInit 1 drop")
            try await service.recovers()
            #expect(try service.calls("C_Login") == logins + 1)
            #expect(try Files.list(scope.path("guard")).allSatisfy { !$0.hasSuffix(".pin-guard") })
        }
    }
}
