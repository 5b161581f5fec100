import Keyring
import Synchronization
import TestSupport
import Testing

@testable import KMSServer

/// Decrypts that wait for a KEK to be opened.
@Suite struct ColdCallTests {
    private static let request = Request.decrypt(FakeKeyService.coldMark + [0xf0, 0x0f])
    private static let request1 = Request.v1(FakeKeyService.coldMark + [0xf0, 0x0f])

    @Test func areAnsweredWhenTheKEKIsOpen() async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            let cold = try [
                client.start(Request.decrypt, ColdCallTests.request),
                client.start(Request.decrypt1, ColdCallTests.request1),
            ]
            try await eventually("both wait", within: .seconds(20)) { test.service.coldWaiting == 2 }
            #expect(test.server.statistics().coldCalls == 2)
            // Others do not wait for them.
            try await #expect(client.call(Request.encrypt, Request.encrypt([1])).code == .ok)
            #expect(cold.allSatisfy { !$0.isOver })
            test.service.openCold()
            for call in cold {
                #expect(
                    await call.answer == TestClient.Answer(code: .ok, text: "", bytes: Wire.field(1, [0x0f, 0xf0])))
            }
            #expect(test.server.statistics().coldCalls == 0)
            #expect(test.count(Request.decrypt, "OK") == 1 && test.count(Request.decrypt1, "OK") == 1)
        }
    }

    @Test func haveTheCallersDeadline() async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            let answer = try await client.call(Request.decrypt, ColdCallTests.request, timeout: .milliseconds(300))
            #expect(answer.code == .deadlineExceeded)
            let given = try #require(test.service.coldDeadlines.first)
            #expect(given <= .milliseconds(301))
            try await eventually("its place is free", within: .seconds(20)) {
                test.server.statistics().coldCalls == 0
            }
        }
    }

    @Test func haveADeadlineEvenIfTheCallerHasNone() async throws {
        try await ServerUnderTest.with {
            $0.coldTimeout = .milliseconds(200)
        } _: { test in
            let answer = try await test.client().call(Request.decrypt, ColdCallTests.request, timeout: nil)
            #expect(
                answer == TestClient.Answer(code: .deadlineExceeded, text: "the KEK did not open in time", bytes: []))
        }
    }

    @Test func areBounded() async throws {
        try await ServerUnderTest.with {
            $0.maximumColdCalls = 5
        } _: { test in
            let client = try test.client()
            let waiting = try (0..<5).map { _ in try client.start(Request.decrypt, ColdCallTests.request) }
            try await eventually("five wait", within: .seconds(20)) { test.service.coldWaiting == 5 }
            try await #expect(client.call(Request.decrypt, ColdCallTests.request).code == .resourceExhausted)
            test.service.openCold()
            for call in waiting { #expect(await call.answer.code == .ok) }
            try await #expect(client.call(Request.decrypt, ColdCallTests.request).code == .ok)
        }
    }

    @Test func theUsualBoundIs256() async throws {
        try await ServerUnderTest.with { test in
            let clients = try [test.client(), test.client()]
            let calls = try (0..<300).map { try clients[$0 % 2].start(Request.decrypt, ColdCallTests.request) }
            try await eventually("256 wait", within: .seconds(30)) {
                test.service.coldWaiting == 256 && test.count(Request.decrypt, "RESOURCE_EXHAUSTED") == 44
            }
            test.service.openCold()
            var ok = 0
            for call in calls where await call.answer.code == .ok { ok += 1 }
            #expect(ok == 256)
        }
    }

    @Test func cancellationFreesTheirPlace() async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            let call = try client.start(Request.decrypt, ColdCallTests.request, timeout: nil)
            try await eventually("it waits", within: .seconds(20)) { test.service.coldWaiting == 1 }
            call.cancel()
            #expect(await call.answer.code == .cancelled)
            try await eventually("its place is free", within: .seconds(20)) {
                test.service.coldCancelled == 1 && test.server.statistics().coldCalls == 0
            }
            try await #expect(client.call(Request.status).code == .ok)
        }
    }

    @Test func theirAnswerMayComeAfterTheCancellation() async throws {
        try await ServerUnderTest.with { test in
            test.service.behaviour.withLock { $0.heedsCancellation = false }
            let client = try test.client()
            let call = try client.start(Request.decrypt, ColdCallTests.request, timeout: nil)
            try await eventually("it waits", within: .seconds(20)) { test.service.coldWaiting == 1 }
            call.cancel()
            try await eventually("the server knows", within: .seconds(20)) { test.service.coldCancelled == 1 }
            test.service.openCold()
            try await eventually("its place is free", within: .seconds(20)) {
                test.server.statistics().coldCalls == 0
            }
            try await #expect(client.call(Request.status).code == .ok)
        }
    }

    @Test func surviveTheEndOfTheirConnection() async throws {
        try await ServerUnderTest.with { test in
            for _ in 0..<20 {
                let client = try test.client()
                let calls = try (0..<8).map { _ in
                    try client.start(Request.decrypt, ColdCallTests.request, timeout: nil)
                }
                try await eventually("they wait", within: .seconds(20)) { test.service.coldWaiting == 8 }
                for call in calls { call.cancel() }
                withExtendedLifetime(client) {}
                try await eventually("none waits", within: .seconds(20)) {
                    test.service.coldWaiting == 0 && test.server.statistics().coldCalls == 0
                }
            }
            try await eventually("all connections are gone", within: .seconds(20)) {
                test.server.statistics().connections == 0
            }
        }
    }
}
