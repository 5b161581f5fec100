import Testing

@testable import Keyring

/// When a backend that fails is asked again.
@Suite(.timeLimit(.minutes(5))) struct BreakerTests {
    private let clockwork = Clockwork()
    private let breaker: Breaker

    init() { breaker = Breaker(clockwork.pacing) }

    private func admitted() throws -> Breaker.Ticket {
        guard case .admitted(let ticket) = breaker.admit() else { throw Refused() }
        return ticket
    }

    private struct Refused: Error {}

    private func fail(_ ticket: Breaker.Ticket, _ errorClass: SealingError.Class = .retry) {
        breaker.end(ticket, .sample(errorClass), latency: .milliseconds(1))
    }

    private func succeed(_ ticket: Breaker.Ticket) { breaker.end(ticket, nil, latency: .milliseconds(1)) }

    @Test func everybodyIsLetInAsLongAsItDoesWell() throws {
        let tickets = try (0..<5).map { _ in try admitted() }
        #expect(breaker.nextAttempt == nil)
        for ticket in tickets { succeed(ticket) }
        #expect(breaker.history.state == .ok)
        #expect(breaker.history.spared == 0)
    }

    @Test func afterAFailureOneCallAtATimeMayTryAfterAPause() throws {
        fail(try admitted())
        #expect(breaker.nextAttempt == .after(.milliseconds(750)))
        guard case .refused(let error) = breaker.admit() else { throw Refused() }
        #expect(error.message == "retry on purpose" && error.hint == "hint for retry")
        clockwork.advance(.milliseconds(749))
        #expect(throws: Refused.self) { try admitted() }
        clockwork.advance(.milliseconds(1))
        let attempt = try admitted()
        #expect(breaker.nextAttempt == .underWay)
        #expect(throws: Refused.self) { try admitted() }
        fail(attempt)
        #expect(breaker.nextAttempt == .after(.milliseconds(1500)))
        clockwork.advance(.milliseconds(1500))
        succeed(try admitted())
        #expect(breaker.nextAttempt == nil)
        // From the beginning.
        fail(try admitted())
        #expect(breaker.nextAttempt == .after(.milliseconds(750)))
        #expect(breaker.history.spared == 3)
    }

    @Test func anOperatorsWordLetsOneCallInAtOnce() throws {
        breaker.letOneIn()
        #expect(breaker.nextAttempt == nil)
        fail(try admitted())
        breaker.letOneIn()
        let attempt = try admitted()
        // Not a second one beside it.
        breaker.letOneIn()
        #expect(throws: Refused.self) { try admitted() }
        fail(attempt)
        #expect(breaker.nextAttempt == .after(.milliseconds(1500)))
        breaker.letOneIn()
        succeed(try admitted())
        #expect(breaker.nextAttempt == nil)
    }

    @Test func callsThatFailTogetherAreOneFailure() throws {
        let tickets = try (0..<5).map { _ in try admitted() }
        for ticket in tickets { fail(ticket) }
        #expect(breaker.nextAttempt == .after(.milliseconds(750)))
        #expect(breaker.history.failures == 1)
        #expect(breaker.history.failureCounts == [.retry: 5])
    }

    @Test func aSealThatDoesNotOpenSaysNothingAboutTheBackend() throws {
        fail(try admitted(), .permanent)
        #expect(breaker.nextAttempt == nil)
        fail(try admitted(), .reopen)
        clockwork.advance(.seconds(1))
        // It neither closes the breaker nor makes the next pause longer.
        fail(try admitted(), .permanent)
        #expect(breaker.nextAttempt == .after(.milliseconds(750)))
        #expect(breaker.history.lastFailure?.error.errorClass == .reopen)
    }

    @Test func anAttemptThatNobodyWaitedForIsOneNevertheless() throws {
        fail(try admitted())
        clockwork.advance(.seconds(1))
        breaker.abandon(try admitted())
        #expect(throws: Refused.self) { try admitted() }
        clockwork.advance(.seconds(1))
        succeed(try admitted())
        breaker.abandon(try admitted())
        #expect(breaker.nextAttempt == nil)
    }

    @Test func eachPauseHasItsJitter() throws {
        var pacing = clockwork.pacing
        pacing.random = { $0.upperBound }
        let breaker = Breaker(pacing)
        guard case .admitted(let ticket) = breaker.admit() else { throw Refused() }
        breaker.end(ticket, .sample(.retry), latency: .zero)
        #expect(breaker.nextAttempt == .after(.milliseconds(1250)))
    }

    @Test func aCallersOwnDeadlineIsNotTheBackends() async throws {
        let backend = try MemoryBackend("hsm")
        let member = SealingChain.Member(backend)
        backend.set(.hangs, .probe)
        let outcome = await member.call("probe", until: .now + .milliseconds(50)) {
            (backend, until) throws(SealingError) in try await backend.probe(until: until)
        }
        #expect(outcome.error?.message == "probe: no answer in time")
        #expect(member.breaker.nextAttempt == nil)
        #expect(member.breaker.history.state == .unknown)
        // Another such call while that one is still in its time is not the backend's failure either.
        let second = await member.call("probe") { (backend, until) throws(SealingError) in
            try await backend.probe(until: until)
        }
        #expect(!second.wasAsked && second.error != nil)
        #expect(member.breaker.nextAttempt == nil)
        backend.release()
    }
}
