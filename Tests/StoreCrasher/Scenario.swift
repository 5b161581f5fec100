import Crypto
import Glibc
import Keyring

/// What the process does to the keyring.
enum Scenario: String {
    /// Makes a keyring: KEK 1, with a shared and a local seal, active.
    case create
    /// Puts another seal into the record of KEK 1.
    case reseal
    /// `trousseau reseal --drop-replaced`: every KEK sealed to another recipient, and the first one removed.
    case replace
    /// `trousseau reseal` of a backend that wants another local seal than the one that is there.
    case resealLocally
    /// Adds KEK 2, prepared.
    case prepare
    /// Makes KEK 2 active.
    case activate
    /// Replaces the local seal of KEK 1.
    case localSeal
    /// Removes the local seals.
    case removeLocalSeals
    /// Holds the lock until its standard input ends.
    case hold
    /// Opens for reading, and reads.
    case read

    func run(in directory: String, observer: @escaping @Sendable (StoreStep) -> Void) async throws {
        if self == .replace { return try await Scenario.replace(directory, observer) }
        if self == .resealLocally { return try await Scenario.resealLocally(directory, observer) }
        let one = try kek(1)
        let two = try kek(2)
        let keyring = try KeyringIdentity(keyringID: Array(0xa0...0xaf), name: "prod")
        if self == .create {
            let store = try KeyringStore.create(directory, keyring: keyring, observer: observer)
            let record = try record(one, 1, keyring)
            try store.writeRecord(record)
            try store.writeLocalSeal(seal(one, to: "tpm:local", description: 1))
            try store.writeRoles(Roles(active: record.identity, prepared: nil, under: one))
            return try store.finishCreation()
        }
        let store = try KeyringStore.open(directory, readOnly: self == .read, observer: observer)
        let stored = try store.load()
        let active = try stored.requireActive().record.record
        switch self {
        case .create, .replace, .resealLocally: break
        case .reseal: try store.writeRecord(active.setting(seal(one, to: "vault:new", description: 2), under: one))
        case .prepare:
            let record = try record(two, 2, keyring, vouchedBy: [(one, 1)])
            try store.writeRecord(record)
            try store.writeRoles(Roles(active: active.identity, prepared: record.identity, under: one))
        case .activate:
            guard let record = stored.records.last else { return }
            try store.writeRoles(Roles(active: record.record.identity, prepared: nil, under: two))
        case .localSeal: try store.writeLocalSeal(seal(one, to: "tpm:local", description: 2))
        case .removeLocalSeals: for seal in stored.localSeals { try store.removeLocalSeal(seal) }
        case .hold:
            print("held")
            fflush(nil)
            while getchar() != EOF {}
        case .read: print("records \(stored.records.count)")
        }
    }

    private static func replace(
        _ directory: String, _ observer: @escaping @Sendable (StoreStep) -> Void
    ) async throws {
        func member(_ id: String, isUnsealOnly: Bool) -> SealingChain.Member {
            let recipient = Recipient(id: id, kind: "pkcs11", description: [1])
            return SealingChain.Member(
                PlainBackend(name: id, recipient: recipient), unsealOnly: isUnsealOnly, deadline: .seconds(60))
        }
        try await reseal(
            [member("pkcs11:bb", isUnsealOnly: false), member("pkcs11:aa", isUnsealOnly: true)],
            ResealOptions(dropReplaced: true), directory, observer)
    }

    private static func resealLocally(
        _ directory: String, _ observer: @escaping @Sendable (StoreStep) -> Void
    ) async throws {
        let backend = PlainBackend(
            name: "node", recipient: Recipient(id: "pkcs11:aa", kind: "pkcs11", description: [1]),
            local: [Recipient(id: "tpm:new", kind: "tpm", description: [2])], served: ["tpm:local"])
        try await reseal(
            [SealingChain.Member(backend, unsealOnly: false, deadline: .seconds(60))], ResealOptions(), directory,
            observer)
    }

    private static func reseal(
        _ members: [SealingChain.Member], _ options: ResealOptions, _ directory: String,
        _ observer: @escaping @Sendable (StoreStep) -> Void
    ) async throws {
        let service = try KeyringService(
            directory: directory, name: "prod", chain: SealingChain(members, log: .none), observer: observer)
        let report = try await service.reseal(options, until: .now + .seconds(60))
        await service.shutdown(until: .now + .seconds(20))
        guard report.isComplete else { throw Incomplete(rows: report.rows) }
    }

    private struct Incomplete: Error { let rows: [ResealReport.Row] }

    private func kek(_ first: UInt8) throws -> KEK {
        let bytes = (0..<32).map { first &+ UInt8($0) }
        return try bytes.withUnsafeBytes { try KEK(SecretBytes(copying: $0)) }
    }

    private func record(
        _ kek: KEK, _ generation: UInt64, _ keyring: KeyringIdentity,
        vouchedBy: [(kek: KEK, generation: UInt64)] = []
    ) throws -> Record {
        try Record.make(
            kek: kek, keyring: keyring, generation: generation, created: 1_764_000_000, voucherFloor: 0,
            seals: [seal(kek, to: "pkcs11:aa", description: 1)], vouchedBy: vouchedBy)
    }

    /// The KEK's bytes, each exclusive-or 0x5a: the tests open what is left.
    private func seal(_ kek: KEK, to id: String, description: UInt8) -> Seal {
        let recipient = Recipient(id: id, kind: String(id.prefix { $0 != ":" }), description: [description])
        return Seal(recipient: recipient, kekID: kek.id, bytes: kek.withUnsafeBytes { $0.map { $0 ^ 0x5a } })
    }
}
