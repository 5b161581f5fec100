internal import TestSupport
internal import Testing

@Suite("calls that do not return")
struct HangTests {
    @Test("one hangs: its caller leaves at the deadline, others are served, doctor says so, and it ends")
    func one() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("at C_Decrypt 1 hang")
            let began = ContinuousClock.now
            #expect(try await service.unseal(within: 300).hasPrefix("retry hsm: no answer in time"))
            #expect(ContinuousClock.now - began < .seconds(5))
            #expect(try service.shim.count("hanging") == 1)
            #expect(try await service.unseal() == "opened")
            #expect(try await service.driver.ask("storm \(service.seal) 24").contains("opened=24"))
            try await service.driver.eventually("diagnose", "finding error calls: a call to the module has not")
            try service.shim.calm()
            try await eventually("the call ends", within: .seconds(20)) { try service.shim.count("hanging") == 0 }
            let findings = try await service.driver.ask("diagnose")
            #expect(!findings.contains { $0.hasPrefix("finding error") }, "\(findings)")
            #expect(try service.calls("C_Initialize") == 0)
        }
    }

    @Test("all hang: nobody waits beyond a deadline, none of them keeps another out, and all is well when they return")
    func all() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("at C_Decrypt * hang")
            var answers: [String] = []
            for _ in 0..<14 { answers.append(try await service.unseal(within: 200)) }
            // Four threads; the queue has places for eight, but those whose callers have gone give theirs up.
            #expect(answers.allSatisfy { $0.hasPrefix("retry hsm: no answer in time") }, "\(answers)")
            #expect(try service.shim.count("hanging") == 4)
            try await service.driver.eventually(
                "within 200 diagnose", "finding error calls: a call to the module has not")
            // The process can still end, and without the module's help.
            try service.shim.calm()
            try await service.driver.eventually("unseal \(service.seal)", "opened")
            #expect(try service.shim.count("open-sessions") <= 5)
        }
    }

    @Test("a login that hangs holds up everybody, each until the deadline only; one C_Login in all")
    func login() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("at C_DecryptInit 1 logout", "at C_Login 1 hang")
            for _ in 0..<3 { #expect(try await service.unseal(within: 300).hasPrefix("retry ")) }
            #expect(try service.calls("C_Login") == 1)
            try service.shim.calm()
            try await service.recovers()
            #expect(try service.calls("C_Login") == 1)
        }
    }

    @Test("the module is lost while a call hangs in it: it is not finalized under the call")
    func drain() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("at C_Decrypt 1 hang", "at C_Decrypt 2 return 0x30")
            #expect(try await service.unseal(within: 300).hasPrefix("retry "))
            #expect(try await service.unseal(within: 300).hasPrefix("retry "))
            // The second answer is late on a busy machine; only with it the module is lost.
            try await eventually("the second call was made", within: .seconds(20)) {
                try service.calls("C_Decrypt") == 2
            }
            #expect(try service.calls("C_Finalize") == 0)
            try service.shim.calm()
            // Until the call that hung has left it, others may still be served by the module as it is.
            try await eventually("it is made anew", within: .seconds(20)) { try service.calls("C_Initialize") > 0 }
            try await service.recovers()
            #expect(try service.calls("C_Initialize") == 1)
        }
    }

    @Test("slow is not failed")
    func slow() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("at C_Decrypt * delay 400")
            #expect(try await service.unseal() == "opened")
            #expect(try await service.unseal(within: 100).hasPrefix("retry hsm: no answer in time"))
            #expect(try await service.unseal() == "opened")
            #expect(try service.calls("C_Initialize") == 0 && service.calls("C_Login") == 0)
        }
    }

    @Test("a shutdown does not wait for a call that hangs, nor finalizes under it")
    func shutdown() async throws {
        try await TestScope.with { scope in
            let service = try await Service.start(scope)
            try service.shim.script("at C_Decrypt 1 hang")
            _ = try await service.unseal(within: 200)
            #expect(try await service.driver.ask("within 300 shutdown").contains("ended"))
            #expect(try service.calls("C_Finalize") == 0)
            try await service.driver.end()
        }
    }
}
