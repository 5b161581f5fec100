import Crypto
import TestSupport
import Testing

@testable import Keyring

@Suite(.timeLimit(.minutes(5))) struct DeadlineTests {
    @Test func anAnswerInTimeCounts() async {
        #expect(await Deadline.race(until: .now + .seconds(60)) { 7 } == 7)
    }

    @Test func aHungCallCostsTheDeadlineOnly() async throws {
        let backend = try MemoryBackend("hsm")
        backend.set(.hangs)
        let start = ContinuousClock.now
        let answer = await Deadline.race(until: start + .milliseconds(200)) {
            try? await backend.probe(until: .now + .seconds(60))
            return true
        }
        #expect(answer == nil)
        #expect(ContinuousClock.now - start >= .milliseconds(200))
        #expect(ContinuousClock.now - start < .seconds(30))
        backend.release()
    }

    @Test func aDeadlineThatHasPassedBeginsNothing() async throws {
        let backend = try MemoryBackend("hsm")
        let answer = await Deadline.race(until: .now - .seconds(1)) {
            try? await backend.probe(until: .now)
            return true
        }
        #expect(answer == nil)
        #expect(backend.calls(.probe) == 0)
    }

    @Test func aCancelledCallerDoesNotWait() async throws {
        let backend = try MemoryBackend("hsm")
        backend.set(.hangs)
        let task = Task {
            await Deadline.race(until: .now + .seconds(3600)) {
                try? await backend.probe(until: .now + .seconds(3600))
                return true
            }
        }
        await backend.reached(.probe)
        task.cancel()
        #expect(await task.value == nil)
        backend.release()
    }

    @Test func aLateAnswerIsWiped() async throws {
        final class Late: Sendable {
            private let wiped: Race<Bool>
            init(_ wiped: Race<Bool>) { self.wiped = wiped }
            deinit { wiped.finish(true) }
        }
        let wiped = Race<Bool>()
        let gate = Race<Bool>()
        let answer = await Deadline.race(until: .now + .milliseconds(50)) {
            _ = await gate.answer()
            return Late(wiped)
        }
        #expect(answer == nil)
        gate.finish(true)
        #expect(await wiped.answer())
    }

    @Test func theFirstAnswerIsTheOneThatCounts() async {
        let race = Race<Int>()
        race.finish(1)
        race.finish(2)
        #expect(await race.answer() == 1)
    }
}
