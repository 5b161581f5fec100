import Crypto
import TestSupport
import Testing

@testable import Keyring

/// Which members are asked for a KEK, and when.
@Suite(.timeLimit(.minutes(5))) struct HedgingTests {
    private let kek: KEK
    private let first: MemoryBackend
    private let second: MemoryBackend
    private let third: MemoryBackend

    init() throws {
        kek = try Sample.kek(1)
        first = try MemoryBackend("first", key: 1)
        second = try MemoryBackend("second", key: 2)
        third = try MemoryBackend("third", key: 3)
    }

    private func member(
        _ backend: MemoryBackend, hedgeAfter: Duration? = nil, deadline: Duration = .seconds(60)
    ) -> SealingChain.Member {
        SealingChain.Member(backend, unsealOnly: false, deadline: deadline, hedgeAfter: hedgeAfter)
    }

    private func open(
        _ chain: SealingChain, local: [Seal] = []
    ) async throws -> Result<ChainOpened, ChainFailure> {
        var seals: [Seal] = []
        for backend in [first, second, third] {
            seals.append(try await backend.seal(kek, to: backend.recipient, until: .now + .seconds(20)))
        }
        return await chain.open(kek.id, by: chain.candidates(local: local, shared: seals)) { _, _ in }
    }

    @Test func aSlowOneIsWaitedForWithoutHedging() async throws {
        first.set(.waits, .unseal)
        let chain = SealingChain([member(first), member(second)], log: .none)
        async let opened = open(chain)
        await first.reached(.unseal)
        #expect(second.calls(.unseal) == 0)
        first.release()
        #expect(try await opened.get().candidate.member == 0)
        #expect(second.calls(.unseal) == 0)
    }

    @Test func theNextIsAskedAsWellAndTheFirstRightAnswerWins() async throws {
        first.set(.waits, .unseal)
        let chain = SealingChain([member(first, hedgeAfter: .milliseconds(20)), member(second)], log: .none)
        #expect(try await open(chain).get().candidate.member == 1)
        // The loser is left to itself, and what it says at last counts for its backend.
        #expect(chain.members[0].breaker.history.state == .unknown)
        first.release()
        try await eventually("it has answered", within: .seconds(20)) {
            chain.members[0].breaker.history.state == .ok
        }
        #expect([first, second, third].map { $0.calls(.unseal) } == [1, 1, 0])
    }

    @Test func aWrongAnswerDoesNotWin() async throws {
        first.set(.waits, .unseal)
        second.set(.lies, .unseal)
        third.set(.waits, .unseal)
        let hedge = Duration.milliseconds(20)
        let chain = SealingChain([member(first, hedgeAfter: hedge), member(second), member(third)], log: .none)
        async let opened = open(chain)
        // The second one's failure is answered by the third; the first one is still waited for.
        await third.reached(.unseal)
        first.release()
        #expect(try await opened.get().candidate.member == 0)
        third.release()
    }

    @Test func noDeviceIsAskedTwiceAtOnce() async throws {
        first.set(.waits, .unseal)
        second.set(.fails(.sample(.retry)), .unseal)
        let local = try await first.seal(kek, to: first.recipient, until: .now + .seconds(20))
        let hedge = Duration.milliseconds(20)
        let chain = SealingChain([member(first, hedgeAfter: hedge), member(second)], log: .none)
        #expect(chain.candidates(local: [local], shared: [local]).map(\.member) == [0, 0])
        async let opened = open(chain, local: [local])
        await second.reached(.unseal)
        try await eventually("it has failed", within: .seconds(20)) {
            chain.members[1].breaker.history.state == .failing
        }
        #expect(first.calls(.unseal) == 1)
        first.release()
        #expect(try await opened.get().candidate.isLocal)
        #expect(first.mostRunning == 1)
    }

    @Test func theNextIsAskedWhoeverFailed() async throws {
        first.set(.waits, .unseal)
        second.set(.waits, .unseal)
        let chain = SealingChain(
            [member(first, hedgeAfter: .milliseconds(20)), member(second), member(third)], log: .none)
        async let opened = open(chain)
        await second.reached(.unseal)
        // The first one fails while the second, asked after it, is still waited for.
        first.set(.lies, .unseal)
        first.release()
        #expect(try await opened.get().candidate.member == 2)
        second.release()
    }

    @Test func theAttemptEndsWithItsDeadline() async throws {
        for backend in [first, second, third] { backend.set(.hangs, .unseal) }
        let members = [first, second, third].map { member($0, deadline: .seconds(600)) }
        let chain = SealingChain(members, openDeadline: .seconds(30), log: .none)
        let start = ContinuousClock.now
        guard case .failure(let failure) = try await open(chain) else {
            Issue.record("opened by nobody")
            return
        }
        #expect(ContinuousClock.now - start < .seconds(120))
        #expect(failure.attempts.map(\.candidate.member) == [0, 1, 2])
        // None of them took the time of those after it.
        #expect([first, second, third].map { $0.calls(.unseal) } == [1, 1, 1])
        for backend in [first, second, third] { backend.release() }
    }

    @Test func aDeadBackendIsNotAskedForItsOtherSeals() async throws {
        first.set(.fails(.sample(.reopen)), .unseal)
        let local = try await first.seal(kek, to: first.recipient, until: .now + .seconds(20))
        let chain = SealingChain([member(first), member(second)], log: .none)
        #expect(try await open(chain, local: [local]).get().candidate.member == 1)
        #expect(first.calls(.unseal) == 1)
    }
}
