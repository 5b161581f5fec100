import Crypto
import Synchronization
import TestSupport
import Testing

@testable import Keyring

/// `reseal --drop-replaced`: an old key goes only when the new one opens everything.
@Suite(.timeLimit(.minutes(5))) struct RetirementTests {
    private func with(
        _ keks: [KEK], minimumSeals: Int? = nil,
        _ body: (_ rig: Rig, _ new: MemoryBackend, _ old: MemoryBackend) async throws -> Void
    ) async throws {
        let (new, old) = (try MemoryBackend("new", key: 2), try MemoryBackend("old", key: 1))
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            try await Rig.write(path, keks, to: [old])
            let rig = try await Rig.opened(
                path, [.init(new), .init(old, unsealOnly: true)], minimumSeals: minimumSeals)
            do {
                try await body(rig, new, old)
                await rig.stop()
            } catch {
                await rig.stop()
                throw error
            }
        }
    }

    private func reseal(_ rig: Rig, drop: Bool) async throws -> ResealReport {
        try await rig.service.reseal(ResealOptions(dropReplaced: drop), until: .now + .seconds(60))
    }

    private func stored(_ rig: Rig, _ kek: KEK) throws -> Record { try rig.stored(kek) }

    @Test func theOldKeyStaysUntilItsRemovalIsAskedFor() async throws {
        let keks = [try Sample.kek(1), try Sample.kek(33)]
        try await with(keks) { rig, new, old in
            let first = try await reseal(rig, drop: false)
            #expect(first.isComplete)
            #expect(first.rows.filter { $0.backend == "old" }.map(\.outcome) == [.kept, .kept])
            for kek in keks { #expect(try stored(rig, kek).liveSeals.count == 2) }
            let second = try await reseal(rig, drop: true)
            #expect(second.isComplete)
            #expect(second.rows.filter { $0.backend == "old" }.map(\.outcome) == [.dropped, .dropped])
            for kek in keks {
                let record = try stored(rig, kek)
                #expect(record.liveSeals.map(\.recipient.id) == [new.recipient.id])
                #expect(record.entry(for: old.recipient.id)?.isTombstone == true)
            }
            #expect(second.keyID != second.oldKeyID)
            let publication = try Publication(decoding: rig.service.status().annotation)
            let active = try stored(rig, keks[1])
            #expect(publication.active == active)
        }
    }

    @Test func inOneRunTheNewSealsComeFirst() async throws {
        let kek = try Sample.kek(1)
        try await with([kek]) { rig, new, _ in
            let report = try await reseal(rig, drop: true)
            #expect(report.rows.map(\.outcome) == [.added, .dropped])
            #expect(try stored(rig, kek).liveSeals.map(\.recipient.id) == [new.recipient.id])
        }
    }

    @Test(arguments: ["lies", "fails", "hangs"])
    func nothingIsDroppedWhenASealDoesNotOpen(_ how: String) async throws {
        let kek = try Sample.kek(1)
        let (new, old) = (try MemoryBackend("new", key: 2), try MemoryBackend("old", key: 1))
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            try await Rig.write(path, [kek], to: [old, new])
            let rig = try await Rig.opened(
                path,
                [
                    .init(old, unsealOnly: true), .init(new, unsealOnly: false, deadline: .milliseconds(200)),
                ])
            let before = try stored(rig, kek)
            switch how {
            case "lies": new.set(.lies, .unseal)
            case "fails": new.set(.fails(.sample(.reopen)), .unseal)
            default: new.set(.hangs, .unseal)
            }
            let report = try await reseal(rig, drop: true)
            #expect(report.rows.map(\.outcome) == [.failed, .failed])
            #expect(report.rows.first { $0.backend == "old" }?.note?.contains("not removed") == true)
            #expect(try stored(rig, kek) == before)
            new.set(.works)
            new.release()
            await rig.stop()
        }
    }

    @Test func neverBelowMinimumSeals() async throws {
        let kek = try Sample.kek(1)
        try await with([kek], minimumSeals: 2) { rig, _, old in
            let report = try await reseal(rig, drop: true)
            #expect(report.rows.map(\.outcome) == [.added, .failed])
            #expect(report.rows.last?.note?.contains("1 seals were opened, 2 have to be") == true)
            #expect(try stored(rig, kek).entry(for: old.recipient.id)?.isTombstone == false)
        }
    }

    @Test func neverOnUnverifiedSealsAlone() async throws {
        let kek = try Sample.kek(1)
        let old = try MemoryBackend("old", key: 1)
        let offline = try OfflineBackend()
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            try await Rig.write(path, [kek], to: [old])
            let rig = try await Rig.opened(
                path, [.init(offline), .init(old, unsealOnly: true)])
            let report = try await reseal(rig, drop: true)
            #expect(report.rows.map(\.outcome) == [.added, .failed])
            #expect(try stored(rig, kek).entry(for: old.recipient.id)?.isTombstone == false)
            await rig.stop()
        }
    }

    @Test func aRemovedRecipientIsNotSealedToAgain() async throws {
        let kek = try Sample.kek(1)
        try await with([kek]) { rig, new, old in
            let first = try await reseal(rig, drop: true)
            #expect(first.isComplete)
            await rig.stop()
            let again = try await Rig.opened(rig.directory, [.init(new.again()), .init(old.again())])
            let report = try await reseal(again, drop: false)
            let row = try #require(report.rows.first { $0.backend == "old" })
            #expect(row.outcome == .failed)
            #expect(row.note?.contains("was removed") == true)
            // Nor by its name: it would get what it has not.
            let named = try await again.reseal(ResealOptions(backend: "old"))
            #expect(named.rows.first { $0.backend == "old" }?.outcome == .failed)
            #expect(try stored(again, kek).liveSeals.count == 1)
            await again.stop()
        }
    }

    @Test func aKEKThatIsNotOpenIsNamed() async throws {
        let keks = [try Sample.kek(1), try Sample.kek(33)]
        try await with(keks) { rig, _, _ in
            let stranger = try MemoryBackend("stranger", key: 9)
            let record = try await Rig.record(keks[0], generation: 1, to: [stranger])
            let store = try #require(rig.service.store.withLock { $0 })
            try store.writeRecord(record)
            #expect(rig.service.refresh() == nil)
            let report = try await reseal(rig, drop: true)
            #expect(!report.isComplete)
            let row = try #require(report.rows.first { $0.generation == 1 })
            #expect(row.outcome == .failed)
            #expect(row.note?.contains("is not open") == true)
            #expect(try stored(rig, keks[0]) == record)
            #expect(report.rows.filter { $0.generation == 2 }.map(\.outcome) == [.added, .dropped])
        }
    }

    @Test("a backend that takes every key for its own loses its own one only", arguments: [true, false])
    func claimsAll(_ isPinned: Bool) async throws {
        let kek = try Sample.kek(1)
        let (new, old) = (try MemoryBackend("new", key: 2), try MemoryBackend("old", key: 1))
        let elsewhere = try MemoryBackend("elsewhere", key: 7)
        old.claimAll()
        let pins = isPinned ? [Pins.Entry("old", ["memory:key1"])] : []
        try await Rig.idle(
            [kek], sealedTo: [new, old, elsewhere], [.init(new), .init(old, unsealOnly: true)],
            pins: pins + [Pins.Entry("new", ["memory:key2"])]
        ) { (rig: Rig) async throws in
            // Its device is gone, and the keyring knows it; or it opens, and the keyring does not.
            if isPinned { old.set(.fails(.sample(.reopen))) }
            let first = try await reseal(rig, drop: false)
            #expect(first.isComplete)
            #expect(first.rows.count { $0.backend == "old" } == 2)
            let report = try await reseal(rig, drop: true)
            func row(_ id: String) -> ResealReport.Row? { report.rows.first { $0.recipientID == id } }
            #expect(row("memory:key1")?.outcome == .dropped)
            #expect(row("memory:key7")?.outcome == .failed)
            #expect(row("memory:key7")?.note?.contains("may be another node's key") == true)
            #expect(try stored(rig, kek).liveSeals.map(\.recipient.id) == ["memory:key2", "memory:key7"])
        }
    }
}
