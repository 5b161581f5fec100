import Keyring
import Synchronization
import TestSupport
import Testing

@testable import KMSServer

/// How a server ends.
@Suite struct StopTests {
    private static let cold = Request.decrypt(FakeKeyService.coldMark + [1])

    @Test func callsUnderWayAreAnswered() async throws {
        try await ServerUnderTest.with { test in
            let client = try test.client()
            let calls = try (0..<10).map { _ in try client.start(Request.decrypt, StopTests.cold) }
            try await eventually("they wait", within: .seconds(20)) { test.service.coldWaiting == 10 }
            async let stopped = test.stop(within: .seconds(20))
            try await eventually("the socket is gone", within: .seconds(20)) { !Files.exists(test.path) }
            test.service.openCold()
            for call in calls { #expect(await call.answer.code == .ok) }
            #expect(await stopped)
        }
    }

    @Test func aHangingCallDoesNotHoldItUp() async throws {
        try await ServerUnderTest.with { test in
            test.service.behaviour.withLock { $0.heedsCancellation = false }
            let client = try test.client()
            let call = try client.start(Request.decrypt, StopTests.cold)
            try await eventually("it waits", within: .seconds(20)) { test.service.coldWaiting == 1 }
            #expect(await test.stop(within: .milliseconds(300)) == false)
            // Its client is not left hanging.
            #expect(await call.answer.code != .ok)
            #expect(test.log.text.contains("did not end in time"))
            test.service.openCold()
            withExtendedLifetime(client) {}
        }
    }

    @Test func silentConnectionsDoNotHoldItUp() async throws {
        try await ServerUnderTest.with { test in
            // Nothing sent; only a preface, so that nobody answers core's GOAWAY and its ping; and a proper client.
            let silent = try UnixConnection(to: test.path)
            let deaf = try UnixConnection(to: test.path)
            deaf.send(Connection.preface + [0, 0, 0, 4, 0, 0, 0, 0, 0])
            try await #expect(test.client().call(Request.status).code == .ok)
            try await eventually("they are in", within: .seconds(20)) { test.server.statistics().connections >= 2 }
            let begin = ContinuousClock.now
            #expect(await test.stop(within: .seconds(60)))
            // Core's own patience is 20 s.
            #expect(ContinuousClock.now - begin < .seconds(15))
            #expect(silent.readsEnd(within: .seconds(20)) && deaf.readsEnd(within: .seconds(20)))
        }
    }

    @Test func underLoadNothingIsHalfDone() async throws {
        try await ServerUnderTest.with { test in
            let load = Load()
            let (codes, stopped) = try await withThrowingTaskGroup(of: [StatusCode: Int].self) { group in
                for _ in 0..<4 {
                    let client = try test.client()
                    group.addTask {
                        var codes: [StatusCode: Int] = [:]
                        while !load.isOver {
                            let request = Request.encrypt([1, 2, 3])
                            let answer = try await client.call(Request.encrypt, request, timeout: .seconds(5))
                            if answer.code == .ok && answer.bytes.isEmpty { throw TestError("an empty answer") }
                            codes[answer.code, default: 0] += 1
                        }
                        return codes
                    }
                }
                try await eventually("the load is on", within: .seconds(20)) { test.count(Request.encrypt, "OK") > 200 }
                let stopped = await test.stop(within: .seconds(20))
                load.end()
                let codes = try await group.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
                return (codes, stopped)
            }
            #expect(stopped)
            #expect(Set(codes.keys).isSubset(of: [.ok, .unavailable, .cancelled, .deadlineExceeded]), "\(codes)")
        }
    }

    @Test func startAndStopAgainAndAgain() async throws {
        for _ in 0..<20 {
            try await ServerUnderTest.with { test in
                let answer = try await test.client().call(Request.status)
                #expect(answer.code == .ok)
            }
        }
    }

    @Test func stoppingWhatIsNotRunningIsFine() async throws {
        try await ServerUnderTest.with { test in
            #expect(await test.stop(within: .seconds(20)))
            #expect(await test.stop(within: .seconds(20)))
            #expect(test.server.statistics() == ServerStatistics())
        }
    }
}

private final class Load: Sendable {
    private let over = Mutex(false)

    var isOver: Bool { over.withLock { $0 } }

    func end() { over.withLock { $0 = true } }
}
