internal import Keyring
internal import Synchronization
internal import TestSupport
internal import Testing

@testable import PKCS11Backend

@Suite("threads for calls")
struct CallThreadsTests {
    @Test("a hung call is abandoned at the deadline, others go on, and the stop says that it hangs")
    func hung() async throws {
        let threads = ModuleCalls("hsm", limit: 2)
        let gate = Semaphore()
        let began = ContinuousClock.now
        await #expect(throws: PKCS11Error.self) {
            try await threads.run(until: .now + .milliseconds(50)) { () throws(PKCS11Error) in gate.wait() }
        }
        #expect(ContinuousClock.now - began < .seconds(30))
        #expect(try await threads.run(until: .now + .seconds(60)) { () throws(PKCS11Error) in 7 } == 7)
        #expect(threads.oldestCall != nil)
        #expect(await threads.stop(until: .now + .milliseconds(50)) == false)
        gate.signal()
        #expect(await threads.stop(until: .now + .seconds(60)))
    }

    /// Keeps one thread busy until `gate` is signalled.
    private func block(_ threads: ModuleCalls, _ gate: Semaphore) async throws -> Task<Void, any Error> {
        let call = Task {
            try await threads.run(until: .now + .seconds(120)) { () throws(PKCS11Error) in gate.wait() }
        }
        try await eventually("it runs", within: .seconds(60)) { threads.oldestCall != nil }
        return call
    }

    @Test("calls beyond the queue are refused at once; one whose caller has gone is not made")
    func bounded() async throws {
        let threads = ModuleCalls("hsm", limit: 1)
        let gate = Semaphore()
        let made = Counter()
        let blocked = try await block(threads, gate)
        let outcomes = await withTaskGroup(of: String.self) { group in
            for _ in 0..<(CallThreads.queueLimit + 3) {
                group.addTask {
                    do throws(PKCS11Error) {
                        try await threads.run(until: .now + .milliseconds(100)) { () throws(PKCS11Error) in
                            made.value.withLock { $0 += 1 }
                        }
                        return "made"
                    } catch {
                        return error.message.contains("busy") ? "busy" : "late"
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        #expect(outcomes == ["busy": 3, "late": CallThreads.queueLimit])
        gate.signal()
        try await blocked.value
        #expect(await threads.stop(until: .now + .seconds(60)))
        #expect(made.value.withLock { $0 } == 0)
    }

    @Test("calls whose callers have gone keep nobody out, while one hangs")
    func abandoned() async throws {
        let threads = ModuleCalls("hsm", limit: 1)
        let gate = Semaphore()
        let blocked = try await block(threads, gate)
        for _ in 0..<CallThreads.queueLimit {
            await #expect(throws: PKCS11Error.self) {
                try await threads.run(until: .now + .milliseconds(5)) { () throws(PKCS11Error) in }
            }
        }
        let late = Task { try await threads.run(until: .now + .seconds(120)) { () throws(PKCS11Error) in 7 } }
        // Refused, it would have thrown before it could wait.
        try await Task.sleep(for: .milliseconds(50))
        gate.signal()
        try await blocked.value
        #expect(try await late.value == 7)
        #expect(await threads.stop(until: .now + .seconds(60)))
    }

    @Test("two stops at once both return")
    func stops() async throws {
        let threads = ModuleCalls("hsm", limit: 2)
        let gate = Semaphore()
        let blocked = try await block(threads, gate)
        async let first = threads.stop(until: .now + .seconds(60))
        async let second = threads.stop(until: .now + .seconds(60))
        #expect(await threads.stop(until: .now + .milliseconds(50)) == false)
        gate.signal()
        #expect(await [first, second] == [true, true])
        try await blocked.value
    }

    @Test("after the stop nothing is taken")
    func stopped() async {
        let threads = ModuleCalls("hsm", limit: 1)
        #expect(await threads.stop(until: .now + .seconds(60)))
        await #expect(throws: PKCS11Error.self) {
            try await threads.run(until: .now + .seconds(1)) { () throws(PKCS11Error) in }
        }
    }

    @Test("the backoff grows from one second to its longest and begins anew after a success")
    func backoff() {
        let start = ContinuousClock.now
        var backoff = ReopenBackoff()
        #expect(backoff.remaining(start) == nil)
        var waits: [Duration] = []
        for _ in 0..<7 {
            backoff.attempted(start)
            waits.append(backoff.remaining(start) ?? .zero)
        }
        #expect(waits[0] >= .milliseconds(750) && waits[0] <= .milliseconds(1250))
        #expect(waits[6] >= .milliseconds(22500) && waits[6] <= .milliseconds(37500))
        backoff.succeeded(start)
        #expect((backoff.remaining(start) ?? .zero) <= .seconds(1))
        #expect(backoff.remaining(start + .seconds(2)) == nil)
    }
}

private final class Counter: Sendable {
    let value = Mutex(0)
}
