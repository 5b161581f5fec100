internal import TestSupport
internal import Testing

@Suite("recovery at start: every function on the way up fails in every way")
struct AtStartTests {
    static let functions = [
        "C_Initialize", "C_GetSlotList", "C_GetTokenInfo", "C_OpenSession", "C_Login", "C_FindObjectsInit",
        "C_FindObjects", "C_FindObjectsFinal", "C_GetAttributeValue", "C_DecryptInit", "C_Decrypt",
    ]

    @Test("module codes, three times in a row", arguments: functions)
    func module(_ function: String) async throws {
        try await TestScope.with { scope in
            let service = try await Service.beforeStart(scope, [])
            for code in CKRCode.module {
                try service.shim.script("at \(function) 1-3 return \(code.value)")
                try await service.recovers()
                // The next one begins without a token, too.
                if code.value != CKRCode.module.last?.value {
                    try service.shim.script("at C_Decrypt 1 die 0x30", "at C_Initialize 1 return 0x30")
                    _ = try await service.unseal()
                }
            }
            #expect(try service.shim.count("open-sessions") <= 3)
            #expect(try service.shim.count("open-finds") == 0)
        }
    }

    @Test("session and handle codes", arguments: functions)
    func others(_ function: String) async throws {
        try await TestScope.with { scope in
            let service = try await Service.beforeStart(scope, [])
            for code in CKRCode.session + CKRCode.handle + [CKRCode.generalError] {
                try service.shim.script("at \(function) 1 return \(code.value)")
                try await service.recovers()
                try service.shim.script("at C_Decrypt 1 die 0x30", "at C_Initialize 1 return 0x30")
                _ = try await service.unseal()
            }
            try service.shim.calm()
            try await service.recovers()
            #expect(try service.shim.count("open-sessions") <= 3)
            #expect(try service.shim.count("open-finds") == 0)
        }
    }

    @Test("a code that blames the request says nothing about a seal on the way up", arguments: CKRCode.request)
    func requestCodes(_ code: CKRCode) async throws {
        try await TestScope.with { scope in
            for function in AtStartTests.functions.dropLast(2) where function != "C_GetAttributeValue" {
                let service = try await Service.beforeStart(scope, ["at \(function) 1 return \(code.value)"])
                let answer = try await service.unseal()
                #expect(!answer.hasPrefix("permanent"), "\(function): \(answer)")
                try await service.recovers()
                try await service.driver.end()
            }
        }
    }

    @Test("no session at start: waits up to a second for one")
    func sessionCount() async throws {
        try await TestScope.with { scope in
            let service = try await Service.beforeStart(
                scope, ["at C_OpenSession 1-5 return \(CKRCode.count.value)"])
            #expect(try await service.unseal() == "opened")
            #expect(try service.calls("C_Login") == 1)
            try await service.driver.end()
            let late = try await Service.beforeStart(scope, ["at C_OpenSession * return \(CKRCode.count.value)"])
            #expect(try await late.unseal().hasPrefix("retry C_OpenSession: CKR_SESSION_COUNT"))
            #expect(try late.calls("C_Login") == 0)
            try late.shim.calm()
            #expect(try await late.unseal() == "opened")
        }
    }

    @Test(
        "a number of slots that cannot be costs no memory, and the slots that are there are found",
        arguments: [
            "0xFFFFFFFFFFFFFFFF", "0xFFFFFFFFFFFFFFF0", "0x7FFFFFFFFFFFFFFF", "1000000000",
        ])
    func absurdSlots(_ count: String) async throws {
        try await TestScope.with { scope in
            let service = try await Service.beforeStart(scope, ["set slotcount \(count)"])
            #expect(try await service.unseal() == "opened")
            #expect(try service.driver.residentMemory < 200_000)
        }
    }

    @Test("no slot, then one")
    func noSlots() async throws {
        try await TestScope.with { scope in
            let service = try await Service.beforeStart(scope, ["at C_GetTokenInfo * return 0xE0"])
            let answer = try await service.unseal()
            #expect(answer.hasPrefix("reopen ") && answer.contains("has no token at all"), "\(answer)")
            try service.shim.calm()
            try await service.recovers()
        }
    }
}
