import TestSupport
import Testing

@testable import Keyring

@Suite("what a recovery believes", .timeLimit(.minutes(5)))
struct RecoveryTrustTests {
    private func outcomes(_ recovered: RecoveredKeyring) -> [RecoveredKEK.Outcome] { recovered.keks.map(\.outcome) }

    @Test("a key_id is enough for the KEKs before and after it that are vouched for", arguments: 1...4)
    func anyKeyID(_ generation: Int) async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 4)
            let new = try MemoryBackend("new-hsm", key: 7)
            let recovered = try await lost.recover([.init(new)], keyIDs: [try lost.keyID(generation)])
            #expect(outcomes(recovered) == Array(repeating: .recovered, count: 4))
            #expect(recovered.generation == 5)
        }
    }

    @Test("a KEK that somebody sealed to the public key is not, whatever its record says")
    func forged() async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 2)
            let kek = try KEK.generate()
            let forged = try await LostKeyring.record(kek, generation: 9, to: [lost.offline.key], vouchedBy: [kek])
            try lost.add(forged)
            let recovered = try await lost.recover(
                [.init(try MemoryBackend("new-hsm", key: 7))], keyIDs: [try lost.keyID(2)])
            #expect(outcomes(recovered) == [.recovered, .recovered, .notTrusted])
            // Still above it: it might be one that only this copy of the keyring does not know.
            #expect(recovered.generation == 10)
            let stored = try KeyringStore.open(lost.target, readOnly: true).load()
            #expect(stored.record(of: kek.id) == nil)
            let active = try #require(stored.records.last).record
            #expect(!active.vouchers.contains { $0.kekID == kek.id })
        }
    }

    @Test("nor does a high generation push the new one out of other nodes' reach", arguments: [66, UInt64.max])
    func highGeneration(_ generation: UInt64) async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 2)
            let forged = try await LostKeyring.record(
                try KEK.generate(), generation: generation, to: [lost.offline.key])
            try lost.add(forged)
            let new = try MemoryBackend("new-hsm", key: 7)
            let error = await lost.failure([.init(new)], keyIDs: [try lost.keyID(2)])
            #expect(error?.code == .store && error?.message.contains("claims generation \(generation)") == true)
            try Files.remove(lost.path + "/" + RecordFile.name(forged.identity))
            try Files.write("65\n", to: lost.path + "/highest")
            #expect(try await lost.recover([.init(new)], keyIDs: [try lost.keyID(2)]).generation == 66)
        }
    }

    @Test("at the end of all generations there is no next one, and that is said")
    func lastGeneration() async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 1)
            let kek = try KEK.generate()
            let last = try await LostKeyring.record(kek, generation: .max - 63, to: [lost.offline.key])
            let highest = try await LostKeyring.record(try KEK.generate(), generation: .max, to: [lost.offline.key])
            try lost.add(last)
            try lost.add(highest)
            let keyID = try Publication(active: last, prepared: nil, under: kek).keyID()
            let error = await lost.failure([.init(try MemoryBackend("new-hsm", key: 7))], keyIDs: [keyID])
            #expect(error?.code == .store && error?.message.contains("claims generation \(UInt64.max)") == true)
        }
    }

    @Test("KEKs without vouchers need their key_id, or a seal that only its sealing key can have made")
    func noVouchers() async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 3, vouched: false)
            let new = try MemoryBackend("new-hsm", key: 7)
            let one = try await lost.recover([.init(new)], keyIDs: [try lost.keyID(2)])
            #expect(outcomes(one) == [.notTrusted, .recovered, .notTrusted])
            #expect(one.keks[0].reason?.contains("give its key_id") == true)
            try Files.remove(lost.target)
            let two = try await lost.recover([.init(new)], keyIDs: [try lost.keyID(2), try lost.keyID(1)])
            #expect(outcomes(two) == [.recovered, .recovered, .notTrusted])
            try Files.remove(lost.target)
            let members = [SealingChain.Member(new), SealingChain.Member(lost.hsm, unsealOnly: true)]
            let all = try await lost.recover(members, keyIDs: [try lost.keyID(2)])
            #expect(outcomes(all) == [.recovered, .recovered, .recovered])
            #expect(all.keks.map(\.openedBy) == ["old-hsm", "recovery", "old-hsm"])
        }
    }

    @Test("a stolen KEK below the voucher floor vouches for nothing")
    func voucherFloor() async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 3, floors: [0, 0, 3])
            let stolen = try await LostKeyring.record(
                try KEK.generate(), generation: 4, to: [lost.offline.key], vouchedBy: [lost.keks[0]])
            try lost.add(stolen)
            let recovered = try await lost.recover(
                [.init(try MemoryBackend("new-hsm", key: 7))], keyIDs: [try lost.keyID(1)])
            #expect(outcomes(recovered) == [.recovered, .recovered, .recovered, .notTrusted])
            let active = try #require(try KeyringStore.open(lost.target, readOnly: true).load().records.last).record
            #expect(active.identity.voucherFloor == 3 && active.vouchers.map(\.generation) == [3])
        }
    }

    @Test("a record that was altered is not used, unless another copy of it is right")
    func altered() async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 2)
            // Another recipient's seal in place of the HSM's, and the MAC as it was.
            let record = lost.records[0]
            let seal = try #require(record.liveSeals.first { $0.recipient.kind == "recovery" })
            let name = RecordFile.name(record.identity)
            let right = try Files.read(lost.path + "/" + name)
            let index = try #require(record.encoded.firstRange(of: seal.bytes)).lowerBound
            var bytes = record.encoded
            let other = try await lost.offline.key.seal(
                lost.keks[0], to: lost.offline.key.recipient, until: .now + .seconds(60))
            bytes.replaceSubrange(index..<index + seal.bytes.count, with: other.bytes)
            try Files.write(RecordFile.encode(try Record(decoding: bytes)), to: lost.path + "/" + name)
            let new = try MemoryBackend("new-hsm", key: 7)
            let recovered = try await lost.recover([.init(new)], keyIDs: [try lost.keyID(2)])
            #expect(outcomes(recovered) == [.altered, .recovered])
            try Files.remove(lost.target)
            try Files.write(right, to: directory + "/copy")
            let both = try await lost.recover(
                [.init(new)], keyIDs: [try lost.keyID(2)], from: [lost.path, directory + "/copy"])
            #expect(outcomes(both) == [.recovered, .recovered])
        }
    }

    @Test("a key_id has to be of this keyring and of a KEK that opens")
    func keyIDs() async throws {
        try await TemporaryDirectory.with { directory in
            let lost = try await LostKeyring.make(directory, generations: 2)
            let new = try MemoryBackend("new-hsm", key: 7)
            let right = try lost.keyID(2)
            let none = try KeyID("prod/2/aaaaaaaaaaaaaaaa/aaaaaaaa")
            let unknown = await lost.failure([.init(new)], keyIDs: [right, none])
            #expect(unknown?.code == .name && unknown?.hint?.contains("prod/2/\(lost.keks[1].id)") == true)
            #expect(await lost.failure([.init(new)], keyIDs: [right], name: "stage")?.code == .name)
            #expect(await lost.failure([.init(new)], keyIDs: [])?.code == .name)
            let closed = await lost.failure([.init(new)], keyIDs: [right], withKey: false)
            #expect(closed?.code == .recovery && closed?.message.contains("nothing at hand has the key") == true)
            #expect(!Files.exists(lost.target + "/roles"))
        }
    }
}
