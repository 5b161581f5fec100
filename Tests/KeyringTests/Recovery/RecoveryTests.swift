import TestSupport
import Testing

@testable import Keyring

@Suite("a keyring made anew", .timeLimit(.minutes(5)))
struct RecoveryTests {
    @Test("decrypts what the lost one encrypted, under every KEK; a fresh KEK above them encrypts")
    func tokenLost() async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 3)
            let before = try Files.list(lost.path)
            let new = try MemoryBackend("new-hsm", key: 7, hasKey: false)
            let members = [SealingChain.Member(new), SealingChain.Member(lost.offline)]
            let recovered = try await lost.recover(members, keyIDs: [try lost.keyID(3)])
            #expect(recovered.generation == 4 && recovered.keyID.generation == 4)
            #expect(recovered.keks.map(\.outcome) == [.recovered, .recovered, .recovered])
            #expect(recovered.keks.allSatisfy { $0.openedBy == "recovery" && $0.files.count == 1 })
            #expect(recovered.keks.allSatisfy { $0.seals.map(\.state) == [.verified, .unverified] })
            #expect(recovered.seals.map(\.state) == [.verified, .unverified])
            #expect(recovered.unused.isEmpty)
            #expect(lost.hsm.calls(.unseal) == 0)
            #expect(try Files.list(lost.path) == before)

            let stored = try KeyringStore.open(lost.target, readOnly: true).load()
            #expect(stored.highest == 4 && stored.roles?.active.kekID == recovered.kekID)
            #expect(stored.roles?.prepared == nil && stored.records.count == 4 && stored.damaged.isEmpty)
            let all = [lost.hsm.recipient.id, new.recipient.id, lost.offline.key.recipient.id].sorted()
            for record in stored.records.dropLast() { #expect(record.record.seals.map(\.recipientID) == all) }

            // A node that did not lose anything, and still encrypts under generation 3, follows.
            let active = try #require(stored.records.last).record
            let fresh = try await new.unseal(
                try #require(active.liveSeals.first { $0.recipient == new.recipient }), until: .now + .seconds(60))
            let publication = try Publication(active: active, prepared: nil, under: fresh)
            let other = try #require(TrustedKEK(lost.records[2].identity, lost.keks[2]))
            #expect(AdoptionRules.activation(of: publication, candidate: fresh, active: other) == .follow)
            #expect(active.vouchers.map(\.generation).sorted() == [1, 2, 3])

            try await Rig.with(lost.target, members) { rig in
                await rig.phases.reached(.serving)
                let seed: [UInt8] = Array(0..<32)
                #expect(try rig.service.status().keyID == recovered.keyID.text)
                #expect(try rig.encrypt(seed).prefix(17).elementsEqual([1] + recovered.kekID.prefix))
                for (index, kek) in lost.keks.enumerated() {
                    let keyID = try lost.keyID(index + 1).text
                    #expect(try await rig.decrypt(try Rig.ciphertext(seed, kek), keyID: keyID) == seed)
                }
            }
        }
    }

    @Test("is never made over another one, and nothing of it is left when it fails")
    func existing() async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 2)
            let new = try MemoryBackend("new-hsm", key: 7)
            let keyIDs = [try lost.keyID(2)]
            new.set(.fails(.sample(.operatorMustAct)), .seal)
            let failed = await lost.failure([.init(new)], keyIDs: keyIDs)
            #expect(failed?.code == .tooFewSeals && failed?.hint == "hint for operatorMustAct")
            #expect(try Files.list(lost.target).filter { $0 != "lock" && $0 != "local" }.isEmpty)
            new.set(.works)
            _ = try await lost.recover([.init(new)], keyIDs: keyIDs)
            let again = await lost.failure([.init(new)], keyIDs: keyIDs)
            #expect(again?.storeCode == .exists)
            // Not over the lost one either.
            let onto = LostKeyring(
                directory: directory, hsm: lost.hsm, offline: lost.offline, keks: lost.keks, records: lost.records)
            try Files.remove(lost.target)
            try Files.move(lost.path, to: lost.target)
            #expect(await onto.failure([.init(new)], keyIDs: keyIDs, from: [lost.target])?.storeCode == .exists)
        }
    }

    @Test("comes from loose files, too, of any name; copies of one record are merged")
    func looseFiles() async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 2)
            let third = try MemoryBackend("third", key: 3)
            let seal = try await third.seal(lost.keks[1], to: third.recipient, until: .now + .seconds(60))
            try Files.makeDirectory(directory + "/copies", mode: 0o777)
            let names = try Files.list(lost.path).filter { $0.hasSuffix(".record") }
            for name in names {
                try Files.move(lost.path + "/" + name, to: directory + "/copies/" + name)
                try Files.changeMode(directory + "/copies/" + name, to: 0o666)
            }
            let other = directory + "/from another node.txt"
            try Files.write(RecordFile.encode(try lost.records[1].setting(seal, under: lost.keks[1])), to: other)
            try Files.write("nothing", to: directory + "/copies/broken.record")
            let new = try MemoryBackend("new-hsm", key: 7)
            let recovered = try await lost.recover(
                [.init(new)], keyIDs: [try lost.keyID(2)], from: [directory + "/copies", other])
            #expect(recovered.keks.map(\.outcome) == [.recovered, .recovered])
            #expect(recovered.keks[1].files.count == 2)
            #expect(recovered.unused.map(\.file) == [directory + "/copies/broken.record"])
            let stored = try KeyringStore.open(lost.target, readOnly: true).load()
            let merged = try #require(stored.record(of: lost.keks[1].id)).record
            #expect(merged.seals.count == 4 && merged.entry(for: third.recipient.id) != nil)
            for path in [directory + "/nowhere", directory + "/copies/broken.record", directory] {
                #expect(await lost.failure([.init(new)], keyIDs: [try lost.keyID(2)], from: [path])?.code == .store)
            }
        }
    }

    @Test("is opened by a backend that is still there, without the offline key; what opens nowhere is named")
    func withoutKey() async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 2)
            let elsewhere = try MemoryBackend("elsewhere", key: 50)
            let orphan = try await LostKeyring.record(try KEK.generate(), generation: 3, to: [elsewhere])
            try lost.add(orphan)
            let members = [
                SealingChain.Member(lost.hsm, unsealOnly: true), .init(try MemoryBackend("new-hsm", key: 7)),
            ]
            let recovered = try await lost.recover(members, keyIDs: [try lost.keyID(1)], withKey: false)
            #expect(recovered.keks.map(\.outcome) == [.recovered, .recovered, .notOpened])
            #expect(recovered.keks.map(\.openedBy) == ["old-hsm", "old-hsm", nil])
            #expect(
                recovered.keks[2].reason
                    == "nothing at hand has the key of any of its recipients: \(elsewhere.recipient.id)")
            #expect(recovered.generation == 4)
            #expect(try KeyringStore.open(lost.target, readOnly: true).load().records.count == 3)
        }
    }

    @Test("keeps the node's own seals that a configured backend serves")
    func localSeals() async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 1)
            let tpm = try MemoryBackend("node-tpm", kind: "tpm", key: 8)
            let other = try MemoryBackend("other-tpm", kind: "tpm", key: 9)
            do {
                let store = try KeyringStore.open(lost.path, readOnly: false)
                for backend in [tpm, other] {
                    let seal = try await backend.seal(lost.keks[0], to: backend.recipient, until: .now + .seconds(60))
                    try store.writeLocalSeal(seal)
                }
            }
            let recovered = try await lost.recover([.init(tpm)], keyIDs: [try lost.keyID(1)], withKey: false)
            #expect(recovered.keks.map(\.openedBy) == ["node-tpm"])
            let stored = try KeyringStore.open(lost.target, readOnly: true).load()
            #expect(stored.localSeals.map(\.seal.recipient.id) == [tpm.recipient.id])
        }
    }

    @Test("gives an old KEK no seal to a recipient that was removed, and wants one that opens")
    func sealing() async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 1)
            let new = try MemoryBackend("new-hsm", key: 7)
            let chain = SealingChain([.init(new)], log: .none)
            let kek = lost.keks[0]
            let outcomes = await InitialSealing.run(try KEK.generate(), chain, generateMissingKeys: false)
            func kept(_ record: Record) throws -> RecoveryOpening.Kept {
                RecoveryOpening.Kept(
                    trusted: try #require(TrustedKEK(record.identity, kek)), record: record,
                    seal: try #require(record.liveSeals.first), openedBy: "offline key")
            }
            let sealed = try await RecoverySealing.run(try kept(lost.records[0]), chain, outcomes, local: [])
            let unseals = new.calls(.seal)
            // Once there, it is opened and stays as it is.
            let again = try await RecoverySealing.run(try kept(sealed.record), chain, outcomes, local: [])
            #expect(again.record == sealed.record && again.reports.map(\.state) == [.verified])
            #expect(new.calls(.seal) == unseals)
            let removed = try kept(try sealed.record.removing(new.recipient.id, under: kek))
            do throws(KeyringError) {
                _ = try await RecoverySealing.run(removed, chain, outcomes, local: [])
                Issue.record("a removed recipient got a seal")
            } catch {
                #expect(error.code == .tooFewSeals && error.message.contains("was removed from the keyring"))
            }
        }
    }
}
