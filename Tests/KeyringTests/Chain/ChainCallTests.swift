import TestSupport
import Testing

@testable import Keyring

/// What the end of a call says about its backend, and what it does not.
@Suite(.timeLimit(.minutes(5))) struct ChainCallTests {
    private let backend: MemoryBackend
    private let clockwork = Clockwork()

    init() throws { backend = try MemoryBackend("hsm") }

    private func member(_ deadline: Duration) -> SealingChain.Member {
        SealingChain.Member(backend, unsealOnly: false, deadline: deadline).paced(by: clockwork.pacing)
    }

    private func probe(
        _ member: SealingChain.Member, _ name: String = "probe", within share: Duration? = nil
    ) async -> CallOutcome<Void> {
        await member.call(name, within: share) { (backend, until) throws(SealingError) in
            try await backend.probe(until: until)
        }
    }

    @Test func aCallOfACancelledTaskIsNotMadeAndLeavesNothingBehind() async throws {
        let member = member(.seconds(60))
        let cancelled = Task {
            while !Task.isCancelled { await Task.yield() }
            return await probe(member)
        }
        cancelled.cancel()
        #expect(await cancelled.value.wasAsked == false)
        #expect(backend.calls(.probe) == 0)
        #expect(member.breaker.history.calls == 0)
        #expect(await probe(member).error == nil)
        #expect(backend.calls(.probe) == 1)
    }

    @Test func aCancelledTaskDoesNotUseUpTheAttempt() async throws {
        let member = member(.seconds(60))
        backend.set(.fails(.sample(.retry)), .probe)
        _ = await probe(member)
        backend.set(.works, .probe)
        clockwork.advance(.seconds(1))
        let cancelled = Task {
            while !Task.isCancelled { await Task.yield() }
            return await probe(member)
        }
        cancelled.cancel()
        _ = await cancelled.value
        #expect(await probe(member).error == nil)
    }

    @Test func lessTimeThanItsOwnIsNoFailure() async throws {
        let member = member(.seconds(60))
        backend.set(.waits, .probe)
        let outcome = await probe(member, within: .milliseconds(50))
        #expect(outcome.wasAsked && outcome.error?.message == "probe: no answer in time")
        #expect(member.breaker.history.state == .unknown)
        #expect(member.breaker.nextAttempt == nil)
        backend.release()
    }

    @Test func itsOwnDeadlineIsOne() async throws {
        let member = member(.milliseconds(50))
        backend.set(.waits, .probe)
        #expect(await probe(member).error?.message == "probe: no answer in time")
        #expect(member.breaker.history.state == .failing)
        #expect(member.breaker.nextAttempt != nil)
        backend.release()
    }

    /// One call hangs for good, and everything else works.
    @Test func aHungCallIsOneFailure() async throws {
        let member = member(.seconds(2))
        backend.set(.hangs, .probe)
        _ = await probe(member, "unseal")
        backend.set(.works, .probe)
        clockwork.advance(.seconds(60))
        #expect(await probe(member).error == nil)
        for _ in 0..<5 {
            let again = await probe(member, "unseal")
            #expect(again.error?.message.contains("has not returned") == true && !again.wasAsked)
            #expect(member.breaker.history.state == .ok)
            #expect(await probe(member).error == nil)
        }
        #expect(member.breaker.history.failureCounts == [.retry: 1])
        backend.release()
    }

    /// Its caller had no time for it, so that nobody has said yet that it hangs.
    @Test func anOverdueCallIsNoticedOnce() async throws {
        let member = member(.milliseconds(100))
        backend.set(.hangs, .probe)
        _ = await probe(member, within: .milliseconds(10))
        #expect(member.breaker.history.state == .unknown)
        try await Task.sleep(for: .milliseconds(150))
        #expect(await probe(member).error?.message.contains("has not returned") == true)
        #expect(member.breaker.history.state == .failing)
        // Spared.
        _ = await probe(member)
        #expect(member.breaker.history.failureCounts == [.retry: 1])
        backend.release()
    }

    @Test func oneThatIsNotAskedForNothingIsAskedLessOften() async throws {
        let kinds: [(pacesItself: Bool, longest: Duration)] = [(true, .seconds(5)), (false, .seconds(30))]
        for (pacesItself, longest) in kinds {
            let breaker = Breaker(clockwork.pacing, pacesItself: pacesItself)
            for _ in 0..<8 {
                clockwork.advance(.seconds(60))
                guard case .admitted(let ticket) = breaker.admit() else { throw TestError("refused") }
                breaker.end(ticket, .sample(.operatorMustAct), latency: .zero)
            }
            #expect(breaker.nextAttempt == .after(longest * 0.75))
        }
    }
}
