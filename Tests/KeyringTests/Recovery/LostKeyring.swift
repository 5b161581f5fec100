import TestSupport

@testable import Keyring

/// A keyring whose HSM is lost: its folder is left, and the offline key.
struct LostKeyring {
    let directory: String
    let hsm: MemoryBackend
    let offline: OfflineBackend
    let keks: [KEK]
    let records: [Record]

    /// The folder.
    var path: String { directory + "/lost" }
    /// Where the new one goes.
    var target: String { directory + "/keyring" }

    /// Generations from 1, each vouched for by all before it (unless `vouched` is false), the last one active.
    static func make(
        _ directory: String, generations: Int, vouched: Bool = true, floors: [UInt64] = []
    ) async throws -> LostKeyring {
        let hsm = try MemoryBackend("old-hsm", key: 1)
        let offline = try OfflineBackend()
        let keks = try (0..<generations).map { _ in try KEK.generate() }
        var records: [Record] = []
        for (index, kek) in keks.enumerated() {
            records.append(
                try await record(
                    kek, generation: UInt64(index + 1), to: [hsm, offline.key],
                    floor: floors.indices.contains(index) ? floors[index] : 0,
                    vouchedBy: vouched ? Array(keks[..<index]) : []))
        }
        let store = try KeyringStore.create(directory + "/lost", keyring: Sample.keyring())
        for record in records { try store.writeRecord(record) }
        try store.writeRoles(
            Roles(active: records[generations - 1].identity, prepared: nil, under: keks[generations - 1]))
        try store.finishCreation()
        return LostKeyring(directory: directory, hsm: hsm, offline: offline, keks: keks, records: records)
    }

    /// A record; the vouching KEKs have the generations from 1.
    static func record(
        _ kek: KEK, generation: UInt64, to backends: [MemoryBackend], floor: UInt64 = 0, vouchedBy: [KEK] = []
    ) async throws -> Record {
        var seals: [Seal] = []
        for backend in backends {
            seals.append(try await backend.seal(kek, to: backend.recipient, until: .now + .seconds(20)))
        }
        return try Record.make(
            kek: kek, keyring: Sample.keyring(), generation: generation, created: 1_764_000_000, voucherFloor: floor,
            seals: seals, vouchedBy: zip(vouchedBy, UInt64(1)...).map { ($0, $1) })
    }

    /// Puts a record beside the others.
    func add(_ record: Record) throws {
        try Files.write(RecordFile.encode(record), to: path + "/" + RecordFile.name(record.identity))
    }

    /// What `init` or `rotate` printed for a generation.
    func keyID(_ generation: Int) throws -> KeyID {
        try Publication(active: records[generation - 1], prepared: nil, under: keks[generation - 1]).keyID()
    }

    func recover(
        _ members: [SealingChain.Member], keyIDs: [KeyID], from paths: [String]? = nil, name: String = "prod",
        withKey: Bool = true, minimumSeals: Int? = nil
    ) async throws(KeyringError) -> RecoveredKeyring {
        try await KeyringRecovery.run(
            try FoundRecords.read(paths ?? [path]), directory: target, name: name, keyIDs: keyIDs,
            chain: SealingChain(members, log: .none), offlineKey: withKey ? offline.key : nil,
            minimumSeals: minimumSeals, generateMissingKeys: true, log: .none)
    }

    func failure(
        _ members: [SealingChain.Member], keyIDs: [KeyID], from paths: [String]? = nil, name: String = "prod",
        withKey: Bool = true
    ) async -> KeyringError? {
        do throws(KeyringError) {
            _ = try await recover(members, keyIDs: keyIDs, from: paths, name: name, withKey: withKey)
            return nil
        } catch {
            return error
        }
    }
}
