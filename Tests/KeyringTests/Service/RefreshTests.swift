import Crypto
import Synchronization
import TestSupport
import Testing

@testable import Keyring

/// A sealing key that gets new versions: the seal moves along, on this node first, and everywhere with `reseal`.
@Suite(.timeLimit(.minutes(5))) struct RefreshTests {
    private let kek: KEK
    private let hsm: MemoryBackend
    private let vault: MemoryBackend

    init() throws {
        kek = try Sample.kek(1)
        hsm = try MemoryBackend("hsm", key: 1)
        vault = try MemoryBackend("vault", key: 2, hasKeyVersions: true)
    }

    private func with(
        unsealOnly: Bool = false, change: (inout Pacing) -> Void = { _ in }, _ body: (Rig) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            try await Rig.write(path, [kek], to: [hsm, vault])
            try await Rig.with(path, [.init(hsm), .init(vault, unsealOnly: unsealOnly)], change: change) {
                (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                await rig.clockwork.reached(.maintenance(1))
                try await body(rig)
            }
        }
    }

    /// Lets so much time pass that the seals are looked at.
    private func cycle(_ rig: Rig, after time: Duration = .seconds(86401)) async {
        rig.clockwork.advance(time)
        await rig.clockwork.end(.maintenance(1))
        await rig.clockwork.reached(.maintenance(1))
    }

    private func localVersion(_ rig: Rig) throws -> UInt8? {
        try KeyringStore.open(rig.directory, readOnly: true).load().localSeals.first?.seal.bytes.first
    }

    private func shared(_ rig: Rig) throws -> SealReport {
        try #require(try rig.kek(kek).seals.first { $0.backend == "vault" && !$0.isLocal })
    }

    @Test("the seal moves along on this node; without the old version a start opens by it; reseal publishes it")
    func rotated() async throws {
        try await with { (rig: Rig) async throws in
            let before = try rig.service.status()
            vault.rotate()
            await cycle(rig)
            #expect(try localVersion(rig) == 2)
            #expect(try rig.storedLocally() == ["memory:key2"])
            // What etcd carries is as it was.
            #expect(try rig.service.status() === before)
            #expect(try rig.stored(kek).entry(for: "memory:key2")?.counter == 1)
            let own = try #require(try rig.kek(kek).seals.first { $0.isLocal })
            #expect(own.state == .verified && own.verifiedBy == "vault" && own.outdated == nil)
            #expect(try shared(rig).outdated?.contains("run trousseau reseal, which publishes it") == true)
            // And further along.
            vault.rotate()
            await cycle(rig)
            #expect(try localVersion(rig) == 3)
            vault.raiseMinimum()
            await rig.stop()

            let again = try vault.again()
            hsm.set(.fails(.sample(.reopen)))
            try await Rig.with(rig.directory, [.init(hsm), .init(again)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try rig.kek(kek).openedBy == "vault")
                let report = try await rig.reseal()
                let row = try #require(report.rows.first { $0.backend == "vault" })
                #expect(row.outcome == .renewed && row.isVerified && row.note?.contains("newest version") == true)
                let entry = try #require(try rig.stored(kek).entry(for: "memory:key2"))
                #expect(entry.live?.seal.first == 3 && entry.counter == 2)
                #expect(try rig.storedLocally().isEmpty)
                #expect(report.oldKeyID != report.keyID)
                #expect(try shared(rig).outdated == nil && shared(rig).problem == nil)
                let next = try await rig.reseal()
                #expect(next.rows.first { $0.backend == "vault" }?.outcome == .kept)
            }
        }
    }

    @Test("not at once, so that nodes do not come together, and a day apart; what is up to date stays as it is")
    func paced() async throws {
        try await with { (rig: Rig) async throws in
            #expect(vault.calls(.refresh) == 0)
            await cycle(rig, after: .seconds(60))
            #expect(vault.calls(.refresh) == 1)
            #expect(try rig.storedLocally().isEmpty)
            for _ in 0..<3 { await cycle(rig, after: .zero) }
            #expect(vault.calls(.refresh) == 1)
            await cycle(rig)
            #expect(vault.calls(.refresh) == 2)
            #expect(hsm.calls(.refresh) == 0)
        }
    }

    @Test("a backend that only unseals, or has no versions, is not asked")
    func notAsked() async throws {
        try await with(unsealOnly: true) { (rig: Rig) async throws in
            vault.rotate()
            for _ in 0..<2 { await cycle(rig) }
            #expect(vault.calls(.refresh) == 0)
            #expect(try rig.storedLocally().isEmpty)
        }
    }

    @Test("a refreshed seal that does not open replaces nothing")
    func doesNotOpen() async throws {
        try await with { (rig: Rig) async throws in
            vault.rotate()
            await cycle(rig)
            #expect(try localVersion(rig) == 2)
            vault.rotate()
            vault.set(.lies, .unseal)
            await cycle(rig)
            #expect(try localVersion(rig) == 2)
            #expect(rig.logs.lines.contains { $0.contains("was not moved to the newest version") })
            vault.set(.works)
            await cycle(rig)
            #expect(try localVersion(rig) == 3)
        }
    }

    @Test("a right that is missing is shown, costs the backend nothing, and is asked for once a day")
    func refused() async throws {
        try await with { (rig: Rig) async throws in
            vault.set(.fails(.sample(.operatorMustAct)), .refresh)
            await cycle(rig)
            #expect(try rig.backend("vault").state == .ok)
            #expect(try shared(rig).state == .verified)
            #expect(try shared(rig).outdated?.contains("operatorMustAct on purpose") == true)
            let asked = vault.calls(.refresh)
            for _ in 0..<3 { await cycle(rig, after: .seconds(60)) }
            #expect(vault.calls(.refresh) == asked)
            // The operator's reseal says it as well, and keeps the seal that opens.
            let report = try await rig.reseal()
            let row = try #require(report.rows.first { $0.backend == "vault" })
            #expect(row.outcome == .kept && row.isVerified && row.hint == "hint for operatorMustAct")
            vault.set(.works)
            await cycle(rig)
            #expect(try shared(rig).outdated == nil)
        }
    }

    @Test("reseal moves it at once, and takes the local version only where that opens")
    func atOnce() async throws {
        try await with { (rig: Rig) async throws in
            vault.rotate()
            let report = try await rig.reseal()
            #expect(report.rows.first { $0.backend == "vault" }?.outcome == .renewed)
            #expect(try rig.stored(kek).entry(for: "memory:key2")?.live?.seal.first == 2)
            #expect(try rig.storedLocally().isEmpty)
            let active = try #require(rig.service.state.withLock { $0.activeKEK })
            let broken = Seal(recipient: vault.recipient, kekID: kek.id, bytes: [9, 9, 9])
            #expect(
                rig.service.storeLocally([LocalSealing.Made(seal: broken, problem: nil)], active, by: 1).problem == nil)
            let next = try await rig.reseal()
            #expect(next.isComplete)
            #expect(next.rows.first { $0.backend == "vault" }?.outcome == .kept)
            #expect(try rig.storedLocally().isEmpty)
            // A seal that is made anew leaves none of the old version behind.
            vault.rotate()
            await cycle(rig)
            #expect(try localVersion(rig) == 3)
            _ = try await rig.reseal(ResealOptions(backend: "vault"))
            #expect(try rig.storedLocally().isEmpty)
        }
    }
}
