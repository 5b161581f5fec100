import Crypto
import Synchronization
import TestSupport
import Testing

@testable import Keyring

/// Seals that stay on this node: made by `init`, at a start, while serving, by `reseal` and by `recover`; never published.
@Suite(.timeLimit(.minutes(5))) struct LocalSealTests {
    private func create(
        _ path: String, _ members: [SealingChain.Member], minimumSeals: Int? = nil
    ) async throws(KeyringError) -> KeyringCreation.Created {
        try await KeyringCreation.run(
            directory: path, name: "prod", chain: SealingChain(members, log: .none), minimumSeals: minimumSeals,
            generateMissingKeys: true, log: .none)
    }

    private func stored(_ path: String) throws -> StoredKeyring {
        let stored = try KeyringStore.open(path, readOnly: true).load()
        #expect(stored.damaged.isEmpty)
        return stored
    }

    private func localIDs(_ path: String) throws -> [String] {
        try stored(path).localSeals.map(\.seal.recipient.id).sorted()
    }

    private func active(_ rig: Rig) throws -> KEKReport {
        try #require(rig.service.report().keks.first { $0.role == .active })
    }

    /// Until maintenance of the second backend has made its local seal.
    private func healed(_ rig: Rig, _ path: String) async throws {
        try await eventually("healed", within: .seconds(20)) {
            await rig.clockwork.end(.maintenance(1))
            await rig.clockwork.reached(.maintenance(1))
            return try localIDs(path) == ["node:key100"]
        }
    }

    // MARK: init

    @Test("init makes both kinds and verifies them; only the shared one is published")
    func creation() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let node = try NodeBackend(local: [100, 101])
            node.close([101])
            let created = try await create(path, [.init(node)])
            #expect(created.seals.map(\.recipientID) == ["node:key50", "node:key100", "node:key101"])
            #expect(created.seals.map(\.isLocal) == [false, true, true])
            #expect(created.seals.map(\.state) == [.verified, .verified, .unverified])
            #expect(created.seals.last?.problem == "the policy is not fulfilled")
            #expect(try localIDs(path) == ["node:key100", "node:key101"])
            let stored = try stored(path)
            let record = try stored.requireActive().record.record
            #expect(record.seals.map(\.recipientID) == ["node:key50"])
            #expect(stored.pins?.recipients(of: "node-tpm") == ["node:key100", "node:key101", "node:key50"])
            try await Rig.with(path, [.init(node)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                let publication = try rig.service.status().annotation
                for seal in stored.localSeals { #expect(!publication.contains(seal.seal.bytes)) }
            }
        }
    }

    @Test("a backend counts as sealed when all that it wants was made and one local seal opens")
    func counting() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let hsm = try MemoryBackend("hsm", key: 1)
            // Nothing but local seals, none of which opens.
            let alone = try NodeBackend(shared: nil, local: [100, 101])
            alone.close([100, 101])
            do throws(KeyringError) {
                _ = try await create(path, [.init(hsm), .init(alone)])
                Issue.record("sealed")
            } catch {
                #expect(error.code == .tooFewSeals)
                #expect(error.message.contains("node-tpm: the policy is not fulfilled"))
            }
            #expect(!Files.exists(path + "/roles"))
            #expect(try Files.list(path + "/local").isEmpty)
            alone.close([101])
            let created = try await create(path, [.init(alone)], minimumSeals: 1)
            #expect(created.seals.map(\.state) == [.verified, .unverified])
            #expect(created.seals.allSatisfy { $0.isLocal })
            try await Rig.with(path, [.init(alone)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                await rig.clockwork.reached(.maintenance(0))
                #expect(try active(rig).seals.map(\.state) == [.verified, .unverified])
                #expect(try active(rig).seals.first?.backend == "node-tpm")
                #expect(try active(rig).seals.first?.age == .zero)
                let warnings = rig.service.report().warnings
                #expect(warnings.count == 1 && warnings[0].contains("/local: without that folder"), "\(warnings)")
                #expect(rig.logs.lines.allSatisfy { !$0.contains("not made") })
            }
        }
    }

    // MARK: Start and service

    @Test("the local seal opens, though the shared one could")
    func preferred() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let node = try NodeBackend()
            _ = try await create(path, [.init(node)])
            let shared = try #require(node.shared)
            shared.set(.fails(.sample(.operatorMustAct)), .unseal)
            try await Rig.with(path, [.init(node)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try active(rig).openedBy == "node-tpm")
                #expect(try active(rig).seals.map(\.isLocal) == [true, false])
                #expect(try active(rig).seals.first?.state == .verified)
            }
        }
    }

    @Test("a KEK that opened through a shared seal gets its local seal in the background, every open KEK one")
    func resealedAtStart() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let hsm = try MemoryBackend("hsm", key: 1)
            let node = try NodeBackend()
            let shared = try #require(node.shared)
            let keks = [try Sample.kek(1), try Sample.kek(33)]
            try await Rig.write(path, keks, to: [hsm, shared])
            try await Rig.with(path, [.init(node), .init(hsm)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                let before = try rig.service.status()
                try await eventually("both KEKs have one", within: .seconds(20)) {
                    await rig.clockwork.end(.maintenance(0))
                    await rig.clockwork.reached(.maintenance(0))
                    return try stored(path).localSeals.count == 2
                }
                for seal in try stored(path).localSeals.map(\.seal) {
                    let kek = try #require(keks.first { $0.id == seal.kekID })
                    #expect(try await node.unseal(seal, until: .now + .seconds(20)).isSame(as: kek))
                }
                #expect(try rig.kek(keks[0]).seals.first?.state == .verified)
                #expect(try rig.kek(keks[0]).seals.first?.isLocal == true)
                #expect(try rig.service.status() === before)
                // And that is all.
                let seals = node.calls(.seal)
                for _ in 0..<3 { await rig.clockwork.end(.maintenance(0)) }
                await rig.clockwork.reached(.maintenance(0))
                #expect(node.calls(.seal) == seals)
            }
            // From now on without the HSM, by the local one.
            try await Rig.with(path, [.init(node)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try rig.kek(keks[1]).openedBy == "node-tpm")
            }
        }
    }

    @Test("a device that opens no seal of the KEK gets no local one; the next start says why")
    func foreignDevice() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let hsm = try MemoryBackend("hsm", key: 1)
            let node = try NodeBackend()
            _ = try await create(path, [.init(hsm), .init(node)])
            try Files.remove(path + "/local")
            // Its keys are others; it is there and answers.
            let foreign = try NodeBackend(device: 20)
            try await Rig.with(path, [.init(hsm), .init(foreign)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                for _ in 0..<4 { await rig.clockwork.end(.maintenance(1)) }
                await rig.clockwork.reached(.maintenance(1))
                #expect(foreign.calls(.seal) == 0)
                let missing = try active(rig).seals.filter { $0.state == .missing }
                #expect(missing.map(\.isLocal) == [false, true])
                #expect(missing.last?.problem?.contains("run trousseau reseal") == true)
                // Nor by a command that does not name it.
                let report = try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
                #expect(report.rows.filter { $0.backend == "node-tpm" }.map(\.outcome) == [.failed])
                #expect(foreign.calls(.seal) == 0)
            }
        }
    }

    @Test("lost local seals of a device without shared ones wait for reseal; those of init are made when it is there")
    func localOnly() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let hsm = try MemoryBackend("hsm", key: 1)
            let node = try NodeBackend(shared: nil)
            node.set(.fails(.sample(.retry)), .recipients)
            _ = try await create(path, [.init(hsm), .init(node)], minimumSeals: 1)
            #expect(try localIDs(path).isEmpty)
            node.set(.works, .recipients)
            try await Rig.with(path, [.init(hsm.again()), .init(node)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                try await healed(rig, path)
                #expect(try stored(path).pins?.recipients(of: "node-tpm") == ["node:key100"])
            }
            // Pinned, though nothing opens: the key is the one that was told.
            try Files.remove(path + "/local")
            try await Rig.with(path, [.init(hsm.again()), .init(node)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                try await healed(rig, path)
            }
            // Another device is another key.
            try Files.remove(path + "/local")
            let foreign = try NodeBackend(shared: nil, device: 20)
            try await Rig.with(path, [.init(hsm.again()), .init(foreign)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                for _ in 0..<3 { await rig.clockwork.end(.maintenance(1)) }
                await rig.clockwork.reached(.maintenance(1))
                #expect(foreign.calls(.seal) == 0)
            }
        }
    }

    @Test("a seal that never opens is made once, not again and again")
    func neverOpens() async throws {
        try await Rig.withClosedNode { (rig: Rig, node: NodeBackend) async throws in
            await rig.phases.reached(.serving)
            for _ in 0..<6 { await rig.clockwork.end(.maintenance(1)) }
            await rig.clockwork.reached(.maintenance(1))
            // One by the test for the record.
            #expect(node.calls(.seal) <= 3)
            #expect(try active(rig).seals.first?.problem == "the policy is not fulfilled")
        }
    }

    // MARK: reseal

    @Test("reseal makes what a new configuration wants, and drops the old ones once a successor has opened")
    func resealed() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let node = try NodeBackend()
            _ = try await create(path, [.init(node)])
            let before = try stored(path).requireActive().record
            node.want([101, 102])
            node.close([102])
            let rig = try await Rig.opened(path, [.init(node)])
            let report = try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            let rows = report.rows.filter(\.isLocal)
            #expect(rows.map(\.recipientID) == ["node:key100", "node:key101", "node:key102"])
            #expect(rows.map(\.outcome) == [.dropped, .added, .added])
            #expect(rows.map(\.isVerified) == [false, true, false])
            #expect(report.isComplete && report.oldKeyID == report.keyID)
            #expect(try localIDs(path) == ["node:key101", "node:key102"])
            // What etcd carries is as it was.
            #expect(try stored(path).requireActive().record == before)
            let again = try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            #expect(again.rows.allSatisfy { $0.outcome == .kept })
            await rig.stop()
            // The change that was foretold comes.
            node.close([101])
            try await Rig.with(path, [.init(node)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                await rig.clockwork.reached(.maintenance(0))
                #expect(try active(rig).seals.map(\.state) == [.unverified, .verified, .verified])
                #expect(!rig.logs.lines.contains { $0.hasPrefix("error") })
            }
        }
    }

    @Test("nothing is dropped as long as no successor opens, and a broken seal is renewed")
    func keptAndRenewed() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let hsm = try MemoryBackend("hsm", key: 1)
            let node = try NodeBackend(shared: nil)
            _ = try await create(path, [.init(hsm), .init(node)])
            node.want([101])
            node.close([101])
            let rig = try await Rig.opened(path, [.init(hsm), .init(node)])
            let failed = try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            #expect(failed.rows.filter(\.isLocal).map(\.outcome) == [.failed])
            #expect(try localIDs(path) == ["node:key100"])
            node.close([])
            node.want([100])
            let kek = try #require(rig.service.state.withLock { $0.activeKEK }).trusted.kek
            let broken = Seal(
                recipient: try stored(path).localSeals[0].seal.recipient, kekID: kek.id,
                bytes: [UInt8](repeating: 7, count: 72))
            #expect(
                rig.service.storeLocally(
                    [LocalSealing.Made(seal: broken, problem: nil)],
                    try #require(rig.service.state.withLock { $0.activeKEK }), by: 1
                ).problem == nil)
            let renewed = try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            #expect(renewed.rows.filter(\.isLocal).map(\.outcome) == [.renewed])
            let seal = try #require(stored(path).localSeals.first).seal
            #expect(try await node.unseal(seal, until: .now + .seconds(20)).isSame(as: kek))
            await rig.stop()
        }
    }

    @Test("a backend that only unseals loses its local seals with --drop-replaced, not before")
    func retired() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let hsm = try MemoryBackend("hsm", key: 1)
            let node = try NodeBackend()
            _ = try await create(path, [.init(node)])
            let rig = try await Rig.opened(path, [.init(hsm), .init(node, unsealOnly: true)])
            let first = try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            #expect(first.isComplete)
            #expect(try localIDs(path) == ["node:key100"])
            let second = try await rig.service.reseal(
                ResealOptions(dropReplaced: true), until: .now + .seconds(60))
            #expect(second.isComplete)
            #expect(second.rows.filter { $0.backend == "node-tpm" }.map(\.outcome) == [.dropped, .dropped])
            #expect(try localIDs(path).isEmpty)
            await rig.stop()
        }
    }

    // MARK: What only a public key seals

    @Test("with the record alone the device does not open at start, unless the operator vouches; recover opens it")
    func publicKeyOnly() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let node = try NodeBackend()
            let created = try await create(path, [.init(node)])
            let ciphertext = try await Rig.with(path, [.init(node)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                return try rig.encrypt([1, 2, 3])
            }
            try Files.remove(path + "/local")
            try await Rig.with(path, [.init(node)]) { (rig: Rig) async throws in
                let blocked = await rig.phases.reached(.blocked)
                #expect(blocked.reason?.contains("anyone could have made the seal") == true)
                #expect(blocked.hint?.contains("trousseau recover") == true)
            }
            let other = try KeyID(created.keyID.text.replacing(/[a-z2-7]{16}/, with: "aaaaaaaaaaaaaaaa"))
            try await Rig.with(path, [.init(node)], trustedKeyIDs: [other]) { (rig: Rig) async throws -> Void in
                await rig.phases.reached(.blocked)
            }
            try await Rig.with(path, [.init(node)], trustedKeyIDs: [created.keyID]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try await rig.decrypt(ciphertext) == [1, 2, 3])
                // From now on there is a local one.
                await rig.clockwork.reached(.maintenance(0))
                #expect(try localIDs(path) == ["node:key100"])
            }
            try await Rig.with(path, [.init(node)]) { (rig: Rig) async throws -> Void in
                await rig.phases.reached(.serving)
            }
            try Files.remove(path + "/local")
            try Files.move(path, to: directory + "/lost")
            let recovered = try await KeyringRecovery.run(
                try FoundRecords.read([directory + "/lost"]), directory: path, name: "prod", keyIDs: [created.keyID],
                chain: SealingChain([.init(node)], log: .none), offlineKey: nil, minimumSeals: nil,
                generateMissingKeys: false, log: .none)
            #expect(recovered.keks.map(\.outcome) == [.recovered])
            #expect(recovered.keks[0].seals.map(\.isLocal) == [false, true])
            #expect(recovered.seals.map(\.isLocal) == [false, true])
            #expect(try stored(path).localSeals.count == 2)
            try await Rig.with(path, [.init(node)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try await rig.decrypt(ciphertext) == [1, 2, 3])
                #expect(rig.service.report().keks.allSatisfy { $0.seals.first?.isLocal == true })
            }
        }
    }
}
