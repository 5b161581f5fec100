import Crypto
import TestSupport
import Testing

@testable import Keyring

@Suite(.timeLimit(.minutes(5))) struct ChainTests {
    private func seal(_ kek: KEK, _ backend: MemoryBackend) async throws -> Seal {
        try await backend.seal(kek, to: backend.recipient, until: .now + .seconds(20))
    }

    @Test func membersAreAskedInOrderAndLocalSealsBeforeShared() async throws {
        let kek = try Sample.kek(1)
        let first = try MemoryBackend("first", key: 1)
        let second = try MemoryBackend("second", key: 2)
        let foreign = try MemoryBackend("foreign", key: 3)
        let chain = SealingChain([.init(second), .init(first)], log: .none)
        let shared = [try await seal(kek, first), try await seal(kek, foreign), try await seal(kek, second)]
        let local = [try await seal(kek, first)]
        let candidates = chain.candidates(local: local, shared: shared)
        #expect(candidates.map(\.member) == [0, 1, 1])
        #expect(candidates.map(\.isLocal) == [false, true, false])
        #expect(candidates.map(\.seal) == [shared[2], local[0], shared[0]])
    }

    @Test func aHungCallIsNotRepeatedWhileItHangs() async throws {
        let backend = try MemoryBackend("hsm")
        let clockwork = Clockwork()
        let member = SealingChain.Member(backend, unsealOnly: false, deadline: .seconds(1))
            .paced(by: clockwork.pacing)
        backend.set(.hangs, .probe)
        func probe() async -> SealingError? {
            let outcome = await member.call("probe") { (backend, until) throws(SealingError) in
                try await backend.probe(until: until)
            }
            if case .failure(let error) = outcome.result { return error }
            return nil
        }
        #expect(await probe()?.message == "probe: no answer in time")
        // Spared at first; then nothing but the call that hangs is looked at.
        #expect(await probe()?.message == "probe: no answer in time")
        clockwork.advance(.seconds(60))
        #expect(await probe()?.message.contains("has not returned") == true)
        await backend.reached(.probe)
        #expect(backend.calls(.probe) == 1)
        backend.set(.works, .probe)
        backend.release()
        try await eventually("the hung call ends", within: .seconds(20)) {
            clockwork.advance(.seconds(60))
            return await probe() == nil
        }
        #expect(backend.calls(.probe) >= 2)
    }

    @Test func theEarlierDeadlineCounts() async throws {
        let backend = try MemoryBackend("hsm")
        let member = SealingChain.Member(backend, unsealOnly: false, deadline: .seconds(600))
        backend.set(.hangs, .probe)
        let start = ContinuousClock.now
        let late = await member.call("probe", until: start + .seconds(60)) { (backend, until) in
            #expect(until == start + .seconds(60))
        }
        #expect((try? late.result.get()) != nil)
        let hung = await member.call("probe", until: .now + .milliseconds(50)) {
            (backend, until) throws(SealingError) in
            try await backend.probe(until: until)
        }
        #expect((try? hung.result.get()) == nil)
        #expect(ContinuousClock.now - start < .seconds(120))
        let none = await member.call("other", until: .now - .seconds(1)) { (_, _) in }
        #expect((try? none.result.get()) == nil)
        backend.release()
    }

    @Test func aSealThatDoesNotOpenToTheKEKDoesNotCount() async throws {
        let backend = try MemoryBackend("hsm")
        let member = SealingChain.Member(backend)
        let kek = try Sample.kek(1)
        #expect((try? await member.makeSeal(kek, to: backend.recipient).result.get()) != nil)
        backend.set(.lies, .unseal)
        guard case .failure(let error) = await member.makeSeal(kek, to: backend.recipient).result else {
            Issue.record("a lie counted")
            return
        }
        #expect(error.errorClass == .permanent)
    }

    @Test func waitsGrowToTheirLimits() {
        func delays(_ errorClass: SealingError.Class) -> [Duration] {
            [1, 2, 3, 4, 5, 6, 1000].map { Backoff.delay(after: $0, errorClass, factor: 1) }
        }
        #expect(delays(.retry) == [1, 2, 4, 8, 16, 30, 30].map { Duration.seconds($0) })
        #expect(delays(.reopen) == [1, 2, 4, 5, 5, 5, 5].map { Duration.seconds($0) })
        #expect(delays(.operatorMustAct) == delays(.reopen))
        #expect(Backoff.delay(after: 1, .retry, factor: 1.25) == .milliseconds(1250))
    }

    @Test func aBackendThatDoesNotAnswerIsAFinding() async throws {
        let backend = try MemoryBackend("hsm")
        let member = SealingChain.Member(backend)
        #expect(await member.diagnose(within: .seconds(20)).map(\.severity) == [.ok])
        backend.set(.hangs, .diagnose)
        #expect(await member.diagnose(within: .milliseconds(50)).map(\.severity) == [.error])
        backend.release()
    }
}
