import Crypto
import Synchronization
import TestSupport
import Testing

@testable import Keyring

/// Seals that a backend would make otherwise today: shown, and made anew by `reseal` alone.
@Suite(.timeLimit(.minutes(5))) struct OutdatedSealTests {
    private let kek: KEK
    private let (first, second): (MemoryBackend, MemoryBackend)

    init() throws {
        kek = try Sample.kek(1)
        (first, second) = (try MemoryBackend("first", key: 1), try MemoryBackend("second", key: 2))
    }

    private func seal(_ rig: Rig, _ recipientID: String, isLocal: Bool = false) throws -> SealReport {
        let seals = rig.service.report().keks.flatMap(\.seals)
        return try #require(seals.first { $0.recipientID == recipientID && $0.isLocal == isLocal })
    }

    /// A service that does not run over a keyring that the first backend and a node's device have made.
    ///
    /// - Parameter change: of the device, before the service is there.
    private func withNode(
        _ change: (NodeBackend) -> Void = { _ in }, body: (_ rig: Rig, _ node: NodeBackend) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let node = try NodeBackend()
            let members = [SealingChain.Member(first), SealingChain.Member(node)]
            _ = try await KeyringCreation.run(
                directory: path, name: "prod", chain: SealingChain(members, log: .none), minimumSeals: nil,
                generateMissingKeys: true, log: .none)
            change(node)
            let rig = try await Rig.opened(path, members)
            do {
                try await body(rig, node)
                await rig.stop()
            } catch {
                await rig.stop()
                throw error
            }
        }
    }

    @Test("one to the same key under another policy is shown, left alone by healing, and made anew by reseal")
    func otherPolicy() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            try await Rig.write(path, [kek], to: [first, second])
            second.describe(as: [2, 9])
            try await Rig.with(path, [.init(first), .init(second)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                let before = try rig.service.status()
                for _ in 0..<3 { await rig.clockwork.end(.maintenance(1)) }
                await rig.clockwork.reached(.maintenance(1))
                let old = try seal(rig, "memory:key2")
                #expect(old.state == .verified && old.problem == nil)
                #expect(old.outdated?.contains("another policy") == true)
                #expect(old.outdated?.contains("run trousseau reseal") == true)
                #expect(try seal(rig, "memory:key1").outdated == nil)
                #expect(second.calls(.seal) == 1)
                #expect(try rig.service.status() === before)
                let findings = await SealFindings.make(directory: path, backend: second, until: .now + .seconds(20))
                #expect(findings.map(\.severity) == [.warning])
                #expect(findings.first?.detail.contains("run trousseau reseal") == true)
                #expect(
                    await SealFindings.make(directory: path, backend: first, until: .now + .seconds(20)).isEmpty)

                let report = try await rig.reseal()
                #expect(report.isComplete)
                let row = try #require(report.rows.first { $0.backend == "second" })
                #expect(row.outcome == .renewed && row.isVerified)
                #expect(row.note?.contains("another policy") == true)
                let entry = try #require(try rig.stored(kek).entry(for: "memory:key2"))
                #expect(entry.live?.description == [2, 9] && entry.counter == 2)
                let publication = try Publication(decoding: rig.service.status().annotation)
                #expect(publication.active.entry(for: "memory:key2") == entry)
                #expect(try seal(rig, "memory:key2").outdated == nil)
                let again = try await rig.reseal()
                #expect(again.rows.map(\.outcome) == [.kept, .kept])
                #expect(await SealFindings.make(directory: path, backend: second, until: .now + .seconds(20)).isEmpty)
            }
        }
    }

    @Test("a backend that does not tell its key is as well as before, and is not asked for it all the time")
    func tellsNothing() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            try await Rig.write(path, [kek], to: [first, second])
            second.describe(as: [2, 9])
            second.set(.fails(.sample(.operatorMustAct)), .recipients)
            try await Rig.with(path, [.init(first), .init(second)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                for _ in 0..<5 { await rig.clockwork.end(.maintenance(1)) }
                await rig.clockwork.reached(.maintenance(1))
                #expect(second.calls(.recipients) == 1)
                #expect(try rig.backend("second").state == .ok)
                #expect(try seal(rig, "memory:key2").outdated == nil)
                second.set(.works)
                rig.clockwork.advance(.seconds(300))
                await rig.clockwork.end(.maintenance(1))
                await rig.clockwork.reached(.maintenance(1))
                #expect(try seal(rig, "memory:key2").outdated != nil)
            }
        }
    }

    @Test("one whose successor does not open stays")
    func successorDoesNotOpen() async throws {
        try await Rig.idle([kek], sealedTo: [first, second], [.init(first), .init(second)]) { (rig: Rig) async throws in
            let before = try rig.stored(kek)
            second.describe(as: [2, 9])
            second.set(.lies, .unseal)
            let report = try await rig.reseal()
            #expect(report.rows.first { $0.backend == "second" }?.outcome == .failed)
            #expect(try rig.stored(kek) == before)
            #expect(report.oldKeyID == report.keyID)
        }
    }

    @Test("one that nobody opens here is made anew on the operator's word only")
    func offlineKey() async throws {
        let offline = try OfflineBackend()
        try await Rig.idle(
            [kek], sealedTo: [first, offline.key],
            [.init(first), .init(offline)]
        ) { (rig: Rig) async throws in
            offline.key.describe(as: [99, 1])
            let report = try await rig.reseal()
            let row = try #require(report.rows.first { $0.backend == "recovery" })
            #expect(row.outcome == .kept)
            #expect(row.note?.contains("--backend recovery") == true)
            #expect(try seal(rig, "recovery:key99").outdated?.contains("reseal --backend recovery") == true)
            let named = try await rig.reseal(ResealOptions(backend: "recovery"))
            #expect(named.rows.first { $0.backend == "recovery" }?.outcome == .renewed)
            #expect(try seal(rig, "recovery:key99").outdated == nil)
        }
    }

    @Test("recover makes it anew, and keeps it where its successor does not open", arguments: [true, false])
    func recovered(_ opens: Bool) async throws {
        let record = try await Rig.record(kek, generation: 1, to: [second])
        second.describe(as: [2, 9])
        if !opens { second.set(.fails(.sample(.permanent)), .seal) }
        let member = SealingChain.Member(second)
        let trusted = try #require(TrustedKEK(record.identity, kek))
        let kept = RecoveryOpening.Kept(
            trusted: trusted, record: record, seal: try #require(record.liveSeals.first), openedBy: "second")
        let today = Seal(recipient: second.recipient, kekID: kek.id, bytes: [1])
        let outcome = InitialSealing.Outcome(
            backend: "second", kind: "memory", isVerified: true, recipients: [second.recipient], seals: [today])
        let result = try await RecoverySealing.run(kept, SealingChain([member], log: .none), [outcome], local: [])
        #expect(result.record.entry(for: "memory:key2")?.live?.description == (opens ? [2, 9] : [2]))
        #expect(result.reports.map(\.state) == [.verified])
    }

    // MARK: A PIN that came later

    /// A device with a shared and a local seal that has begun to want a PIN since.
    private func withPIN(_ body: (_ rig: Rig, _ node: NodeBackend, _ kek: KEK) async throws -> Void) async throws {
        try await withNode { node in
            node.wantShared(false)
            node.want([101])
        } body: { (rig: Rig, node: NodeBackend) async throws in
            _ = try? await rig.reseal()
            let kek = try #require(rig.service.state.withLock { $0.activeKEK }).trusted.kek
            try await body(rig, node, kek)
        }
    }

    @Test("a shared seal that opens without the PIN is reported by reseal, status and doctor, and stays until asked")
    func unguarded() async throws {
        try await withPIN { (rig: Rig, node: NodeBackend, kek: KEK) async throws in
            let before = try rig.stored(kek)
            let report = try await rig.reseal()
            #expect(!report.isComplete)
            let row = try #require(report.rows.first { $0.recipientID == "node:key50" })
            #expect(row.outcome == .failed)
            #expect(row.note?.contains("opens without what node-tpm wants today (a PIN)") == true)
            #expect(row.hint?.contains("--drop-replaced") == true)
            #expect(report.rows.filter { $0.backend == "node-tpm" && $0.isLocal }.map(\.outcome) == [.kept])
            #expect(try rig.stored(kek) == before)
            let shown = try seal(rig, "node:key50")
            #expect(shown.outdated?.contains("--drop-replaced") == true)
            let findings = await SealFindings.make(
                directory: rig.directory, backend: node, until: .now + .seconds(20))
            #expect(findings.map(\.severity) == [.error])
        }
    }

    @Test("it is dropped once the local seal has opened, for good, and the keyring opens by that")
    func dropped() async throws {
        try await withPIN { (rig: Rig, node: NodeBackend, kek: KEK) async throws in
            let report = try await rig.reseal(ResealOptions(dropReplaced: true))
            #expect(report.isComplete)
            #expect(report.rows.first { $0.recipientID == "node:key50" }?.outcome == .dropped)
            let record = try rig.stored(kek)
            #expect(record.liveSeals.map(\.recipient.id) == ["memory:key1"])
            // Without it the seal would come back with the next record from elsewhere.
            #expect(record.entry(for: "node:key50")?.isTombstone == true)
            let publication = try Publication(decoding: rig.service.status().annotation)
            #expect(publication.active == record)
            #expect(try rig.storedLocally() == ["node:key101"])
            let again = try await rig.reseal()
            #expect(again.isComplete && again.rows.allSatisfy { $0.outcome == .kept && $0.isVerified })
            #expect(try rig.kek(kek).seals.map(\.state) == [.verified, .verified, .tombstone])
            await rig.stop()
            first.set(.fails(.sample(.reopen)))
            let node = SealingChain.Member(node)
            try await Rig.with(rig.directory, [.init(first), node]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try rig.kek(kek).openedBy == "node-tpm")
                await rig.clockwork.reached(.maintenance(1))
                #expect(!rig.logs.lines.contains { $0.contains("was removed") })
            }
        }
    }

    @Test("it stays as long as no local seal opens")
    func noLocalOneOpens() async throws {
        try await withPIN { (rig: Rig, node: NodeBackend, kek: KEK) async throws in
            node.close([101])
            let report = try await rig.reseal(ResealOptions(dropReplaced: true))
            let row = try #require(report.rows.first { $0.recipientID == "node:key50" })
            #expect(row.outcome == .failed && row.note?.contains("not removed") == true)
            #expect(try rig.stored(kek).entry(for: "node:key50")?.isTombstone == false)
        }
    }

    @Test("a PIN that is wanted no more: the shared seal comes back by the backend's name, once a local one opens")
    func withoutPINAgain() async throws {
        try await withPIN { (rig: Rig, node: NodeBackend, kek: KEK) async throws in
            _ = try await rig.reseal(ResealOptions(dropReplaced: true))
            node.wantShared(true)
            node.want([100])
            let plain = try await rig.reseal()
            let refused = try #require(plain.rows.first { $0.recipientID == "node:key50" })
            #expect(refused.outcome == .failed)
            #expect(refused.hint?.contains("reseal --backend node-tpm") == true)
            #expect(try rig.stored(kek).entry(for: "node:key50")?.isTombstone == true)
            node.close([100])
            let closed = try await rig.reseal(ResealOptions(backend: "node-tpm"))
            #expect(closed.rows.first { $0.recipientID == "node:key50" }?.outcome == .failed)
            node.close([])
            let named = try await rig.reseal(ResealOptions(backend: "node-tpm"))
            #expect(named.isComplete)
            #expect(named.rows.first { $0.recipientID == "node:key50" }?.outcome == .added)
            #expect(try rig.stored(kek).entry(for: "node:key50")?.counter == 3)
        }
    }

    // MARK: Local seals

    @Test("a local seal that opens is not replaced by one that does not, named or not")
    func localSealStays() async throws {
        try await withNode { (rig: Rig, node: NodeBackend) async throws in
            func local() throws -> Seal? {
                try KeyringStore.open(rig.directory, readOnly: true).load().localSeals.first?.seal
            }
            let before = try local()
            node.close([100])
            for options in [ResealOptions(backend: "node-tpm"), ResealOptions()] {
                let report = try await rig.reseal(options)
                let row = try #require(report.rows.first { $0.isLocal })
                #expect(row.outcome == .failed && !row.isVerified)
                #expect(row.note?.contains("the seal that is there was kept") == true)
                #expect(try local() == before)
            }
            node.close([])
            let report = try await rig.reseal(ResealOptions(backend: "node-tpm"))
            #expect(report.rows.first { $0.isLocal }?.outcome == .renewed)
            #expect(try local() != before)
        }
    }
}
