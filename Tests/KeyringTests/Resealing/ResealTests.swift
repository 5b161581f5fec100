import Crypto
import Synchronization
import TestSupport
import Testing

@testable import Keyring

/// `reseal`: what is added, renewed, kept, removed, and what failures cost.
@Suite(.timeLimit(.minutes(5))) struct ResealTests {
    private typealias Outcome = ResealReport.Row.Outcome

    private func with(
        _ keks: [KEK], sealedTo backends: [MemoryBackend], _ members: [SealingChain.Member],
        _ body: (Rig) async throws -> Void
    ) async throws {
        try await Rig.idle(keks, sealedTo: backends, members, body)
    }

    private func reseal(_ rig: Rig, _ options: ResealOptions = ResealOptions()) async throws -> ResealReport {
        try await rig.reseal(options)
    }

    private func outcomes(_ report: ResealReport, _ backend: String) -> [Outcome] {
        report.rows.filter { $0.backend == backend }.map(\.outcome)
    }

    private func stored(_ rig: Rig, _ kek: KEK) throws -> Record { try rig.stored(kek) }

    @Test func aNewBackendGetsASealOfEveryKEK() async throws {
        let (first, second) = (try MemoryBackend("first", key: 1), try MemoryBackend("second", key: 2))
        let keks = [try Sample.kek(1), try Sample.kek(33)]
        try await with(keks, sealedTo: [first], [.init(first), .init(second)]) { rig in
            let report = try await reseal(rig)
            #expect(report.isComplete)
            #expect(outcomes(report, "first") == [.kept, .kept])
            #expect(outcomes(report, "second") == [.added, .added])
            #expect(report.rows.map(\.generation) == [1, 1, 2, 2])
            #expect(report.rows.allSatisfy { $0.isVerified })
            #expect(report.oldKeyID != report.keyID)
            #expect(try rig.service.status().keyID == report.keyID)
            for kek in keks {
                let seal = try #require(try stored(rig, kek).entry(for: second.recipient.id)?.seal(of: kek.id))
                #expect(try await second.unseal(seal, until: .now + .seconds(20)).isSame(as: kek))
            }
            let publication = try Publication(decoding: rig.service.status().annotation)
            let active = try stored(rig, keks[1])
            #expect(publication.active == active)
            // A second run finds nothing to do.
            let again = try await reseal(rig)
            #expect(again.rows.allSatisfy { $0.outcome == .kept && $0.isVerified })
            #expect(again.oldKeyID == again.keyID)
            #expect(again.keyID == report.keyID)
        }
    }

    @Test func aNamedBackendsSealsAreRenewedAndNoOthers() async throws {
        let (first, second) = (try MemoryBackend("first", key: 1), try MemoryBackend("second", key: 2))
        let kek = try Sample.kek(1)
        try await with([kek], sealedTo: [first, second], [.init(first), .init(second)]) { rig in
            let before = try stored(rig, kek)
            let report = try await reseal(rig, ResealOptions(backend: "second"))
            #expect(report.isComplete)
            #expect(outcomes(report, "first") == [.kept])
            #expect(outcomes(report, "second") == [.renewed])
            let after = try stored(rig, kek)
            #expect(after.entry(for: first.recipient.id) == before.entry(for: first.recipient.id))
            #expect(after.entry(for: second.recipient.id)?.counter == 2)
            #expect(
                after.entry(for: second.recipient.id)?.live?.seal != before.entry(for: second.recipient.id)?.live?.seal)
        }
    }

    @Test func aSealThatDoesNotOpenIsReplaced() async throws {
        let (first, second) = (try MemoryBackend("first", key: 1), try MemoryBackend("second", key: 2))
        let kek = try Sample.kek(1)
        try await with([kek], sealedTo: [first, second], [.init(first), .init(second)]) { rig in
            let broken = Seal(recipient: second.recipient, kekID: kek.id, bytes: [1, 2, 3])
            let store = try #require(rig.service.store.withLock { $0 })
            try store.writeRecord(try stored(rig, kek).setting(broken, under: kek))
            #expect(rig.service.refresh() == nil)
            let report = try await reseal(rig)
            #expect(report.isComplete)
            let row = try #require(report.rows.first { $0.backend == "second" })
            #expect(row.outcome == .renewed && row.isVerified)
            #expect(row.note?.contains("did not open") == true)
            #expect(try stored(rig, kek).entry(for: second.recipient.id)?.counter == 3)
        }
    }

    @Test(arguments: [MemoryBackend.Function.unseal, .seal, .recipients])
    func aBackendThatHangsCostsItsDeadlineAndTheOthersGoOn(_ function: MemoryBackend.Function) async throws {
        let (first, hung) = (try MemoryBackend("first", key: 1), try MemoryBackend("hung", key: 2))
        let third = try MemoryBackend("third", key: 3)
        let keks = [try Sample.kek(1), try Sample.kek(33)]
        hung.set(.hangs, function)
        let members: [SealingChain.Member] = [
            .init(first), .init(hung, unsealOnly: false, deadline: .milliseconds(200)), .init(third),
        ]
        try await with(keks, sealedTo: [first], members) { rig in
            let start = ContinuousClock.now
            let report = try await reseal(rig)
            #expect(ContinuousClock.now - start < .seconds(30))
            #expect(!report.isComplete)
            #expect(outcomes(report, "hung") == [.failed, .failed])
            #expect(outcomes(report, "third") == [.added, .added])
            for kek in keks {
                #expect(try stored(rig, kek).liveSeals.map(\.recipient.id) == ["memory:key1", "memory:key3"])
            }
            hung.set(.works)
            hung.release()
        }
    }

    @Test func aLyingBackendReplacesNothing() async throws {
        let (first, liar) = (try MemoryBackend("first", key: 1), try MemoryBackend("liar", key: 2))
        let kek = try Sample.kek(1)
        try await with([kek], sealedTo: [first, liar], [.init(first), .init(liar)]) { rig in
            let before = try stored(rig, kek)
            liar.set(.lies, .unseal)
            let report = try await reseal(rig)
            #expect(!report.isComplete)
            let row = try #require(report.rows.first { $0.backend == "liar" })
            #expect(row.outcome == .failed && !row.isVerified)
            #expect(row.note?.contains("opens to something else; the seal that is there was kept") == true)
            #expect(try stored(rig, kek) == before)
            #expect(report.oldKeyID == report.keyID)
        }
    }

    @Test func anOfflineKeyIsSealedToAndStaysUnverified() async throws {
        let first = try MemoryBackend("first", key: 1)
        let offline = try OfflineBackend()
        let kek = try Sample.kek(1)
        let members: [SealingChain.Member] = [
            .init(first), .init(offline),
        ]
        try await with([kek], sealedTo: [first], members) { rig in
            let report = try await reseal(rig)
            #expect(report.isComplete)
            let row = try #require(report.rows.first { $0.backend == "recovery" })
            #expect(row.outcome == .added && !row.isVerified)
            let again = try await reseal(rig)
            #expect(outcomes(again, "recovery") == [.kept])
            #expect(again.isComplete)
        }
    }

    @Test func oneAtATime() async throws {
        let (first, second) = (try MemoryBackend("first", key: 1), try MemoryBackend("second", key: 2))
        second.set(.waits, .seal)
        try await with([try Sample.kek(1)], sealedTo: [first], [.init(first), .init(second)]) { rig in
            async let slow = rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            await second.reached(.seal)
            await #expect(throws: KeyringError.self) { try await reseal(rig) }
            // Nobody else makes a seal meanwhile.
            #expect(!rig.service.turns[1].tryTake())
            second.release()
            let done = try await slow
            #expect(done.isComplete)
            #expect(rig.service.turns[1].tryTake())
            rig.service.turns[1].give()
            let next = try await reseal(rig)
            #expect(next.isComplete)
        }
    }

    @Test func healingAndResealingMakeOneSeal() async throws {
        let (first, second) = (try MemoryBackend("first", key: 1), try MemoryBackend("second", key: 2))
        let kek = try Sample.kek(1)
        second.set(.waits, .seal)
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let pins = [first, second].map { Pins.Entry($0.name, [$0.recipient.id]) }
            try await Rig.write(path, [kek], to: [first], pins: pins)
            try await Rig.with(path, [.init(first), .init(second)]) { (rig: Rig) async throws in
                await second.reached(.seal)
                async let report = rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
                second.release()
                let done = try await report
                #expect(done.isComplete)
                #expect(second.calls(.seal) == 1)
                #expect(try stored(rig, kek).entry(for: second.recipient.id)?.counter == 1)
            }
        }
    }

    @Test func withoutABackendItSaysWhy() async throws {
        let first = try MemoryBackend("first", key: 1)
        try await with([try Sample.kek(1)], sealedTo: [first], [.init(first)]) { rig in
            first.set(.fails(.sample(.operatorMustAct)))
            let error = await #expect(throws: KeyringError.self) { try await reseal(rig) }
            #expect(error?.code == .notOpen)
            #expect(error?.hint == "hint for operatorMustAct")
            let unknown = await #expect(throws: KeyringError.self) {
                try await reseal(rig, ResealOptions(backend: "nobody"))
            }
            #expect(unknown?.code == .reseal)
        }
    }
}
