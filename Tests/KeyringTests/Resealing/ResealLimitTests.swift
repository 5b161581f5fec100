import Crypto
import Synchronization
import TestSupport
import Testing

@testable import Keyring

/// What `reseal` refuses, and what ends it early.
@Suite(.timeLimit(.minutes(5))) struct ResealLimitTests {
    @Test func anotherDeviceInABackendsPlaceGetsNothingWithoutTheOperatorsWord() async throws {
        let (first, old) = (try MemoryBackend("first", key: 1), try MemoryBackend("second", key: 2))
        let stranger = WrappedBackend(try MemoryBackend("second", key: 3), takesForItsOwn: old.recipient)
        let kek = try Sample.kek(1)
        try await Rig.idle([kek], sealedTo: [first, old], [.init(first), .init(stranger)]) { rig in
            let before = try rig.stored(kek)
            let refused = try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            let row = try #require(refused.rows.first { $0.backend == "second" })
            #expect(row.outcome == .failed && row.hint?.contains("--backend second") == true, "\(row)")
            #expect(!refused.isComplete && refused.keyID == refused.oldKeyID)
            #expect(stranger.inner.calls(.seal) == 0)
            #expect(try rig.stored(kek) == before)

            let told = try await rig.service.reseal(ResealOptions(backend: "second"), until: .now + .seconds(60))
            #expect(told.rows.filter { $0.backend == "second" }.map(\.outcome) == [.added])
            #expect(try rig.stored(kek).entry(for: stranger.inner.recipient.id)?.isTombstone == false)
        }
    }

    @Test func twoBackendsOfOneKeyAreOneSeal() async throws {
        let (first, twin) = (try MemoryBackend("first", key: 1), try MemoryBackend("twin", key: 1))
        let kek = try Sample.kek(1)
        try await Rig.idle([kek], sealedTo: [first], [.init(first), .init(twin)]) { rig in
            let before = try rig.stored(kek)
            let report = try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            #expect(report.rows.filter { $0.backend == "first" }.map(\.outcome) == [.kept])
            let row = try #require(report.rows.first { $0.backend == "twin" })
            #expect(row.outcome == .failed && row.note == "its sealing key is that of backend first")
            #expect(try rig.stored(kek) == before)
        }
    }

    @Test func aSealForWhichEtcdHasNoRoomIsNotAdded() async throws {
        let first = try MemoryBackend("first", key: 1)
        // Five of these are more than a publication may have.
        let bulky = try (2...6).map { WrappedBackend(try MemoryBackend("bulky\($0)", key: $0), padding: 1900) }
        let kek = try Sample.kek(1)
        let members = [SealingChain.Member(first)] + bulky.map { SealingChain.Member($0) }
        try await Rig.idle([kek], sealedTo: [first], members) { rig in
            let report = try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            let failed = report.rows.filter { $0.outcome == .failed }
            #expect(failed.count == 2 && report.rows.count { $0.outcome == .added } == 3, "\(report.rows)")
            #expect(failed.allSatisfy { $0.note?.contains("at most 8192") == true }, "\(failed)")
            let record = try rig.stored(kek)
            #expect(record.liveSeals.count == 4)
            // What there is can be published, and the next start does it.
            let publication = try Publication(active: record, prepared: nil, under: kek)
            #expect(try rig.service.status().keyID == publication.keyID().text)
            #expect(report.keyID == publication.keyID().text)
        }
    }

    @Test func theWholeRunHasADeadline() async throws {
        let (first, second) = (try MemoryBackend("first", key: 1), try MemoryBackend("second", key: 2))
        second.set(.fails(.sample(.reopen)))
        let kek = try Sample.kek(1)
        // Its own deadline is a minute.
        try await Rig.idle([kek], sealedTo: [first], [.init(first), .init(second)]) { rig in
            // Opens the KEK, which a machine under load may not do in a second.
            _ = try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            second.set(.works)
            second.set(.hangs, .seal)
            rig.clockwork.advance(.seconds(60))
            let start = ContinuousClock.now
            let report = try await rig.service.reseal(ResealOptions(), until: start + .seconds(5))
            #expect(ContinuousClock.now - start < .seconds(50))
            #expect(report.rows.filter { $0.backend == "second" }.map(\.outcome) == [.failed])
            #expect(try rig.stored(kek).liveSeals.map(\.recipient.id) == ["memory:key1"])
            // Nothing is left locked by it.
            second.set(.works)
            second.release()
            try await eventually("the hung call has ended", within: .seconds(20)) {
                try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60)).isComplete
            }
        }
    }

    @Test func aShutdownEndsItWithoutHalfAChange() async throws {
        let (first, second) = (try MemoryBackend("first", key: 1), try MemoryBackend("second", key: 2))
        second.set(.waits, .seal)
        let kek = try Sample.kek(1)
        try await Rig.idle([kek], sealedTo: [first], [.init(first), .init(second)]) { rig in
            let before = try rig.stored(kek)
            async let run = rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            await second.reached(.seal)
            await rig.service.shutdown(until: .now + .seconds(20))
            second.release()
            let report = try await run
            #expect(!report.isComplete)
            #expect(report.rows.filter { $0.backend == "second" }.map(\.outcome) == [.failed])
            #expect(try rig.stored(kek) == before)
            await #expect(throws: KeyringError.self) {
                try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            }
            // The keyring is free for the next process.
            try await eventually("the lock is given back", within: .seconds(20)) {
                (try? KeyringStore.open(rig.directory, readOnly: false)) != nil
            }
        }
    }
}

/// A backend in memory that takes another's recipient for its own until it was asked, as one does that goes by the names
/// of its configuration; or whose seals are long.
private final class WrappedBackend: SealingBackend {
    let inner: MemoryBackend
    private let claimed: Mutex<Recipient?>
    private let padding: Int

    init(_ inner: MemoryBackend, takesForItsOwn claimed: Recipient? = nil, padding: Int = 0) {
        self.inner = inner
        self.claimed = Mutex(claimed)
        self.padding = padding
    }

    var name: String { inner.name }
    var kind: String { inner.kind }

    func recipients(
        generateMissingKey: Bool, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        claimed.withLock { $0 = nil }
        return try await inner.recipients(generateMissingKey: generateMissingKey, until: until)
    }

    func serves(_ recipient: Recipient) -> Bool {
        claimed.withLock { $0 }.map { $0.id == recipient.id } ?? inner.serves(recipient)
    }

    func isAuthenticated(_ seal: Seal) -> Bool { inner.isAuthenticated(seal) }

    func seal(
        _ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant
    ) async throws(SealingError) -> Seal {
        let seal = try await inner.seal(kek, to: recipient, until: until)
        return Seal(
            recipient: seal.recipient, kekID: seal.kekID, bytes: seal.bytes + [UInt8](repeating: 0, count: padding))
    }

    func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK {
        try await inner.unseal(
            Seal(recipient: seal.recipient, kekID: seal.kekID, bytes: Array(seal.bytes.dropLast(padding))), until: until
        )
    }

    func probe(until: ContinuousClock.Instant) async throws(SealingError) { try await inner.probe(until: until) }

    func diagnose(until: ContinuousClock.Instant) async -> [Finding] { await inner.diagnose(until: until) }

    func shutdown(until: ContinuousClock.Instant) async { await inner.shutdown(until: until) }
}
