import Crypto
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Keyring

/// A keyring in a temporary folder and the service over it.
final class Rig: Sendable {
    let directory: String
    let chain: SealingChain
    let clockwork: Clockwork
    let service: KeyringService
    let phases: PhaseRecorder
    let logs: LogRecorder
    private let task = Mutex<Task<Void, Never>?>(nil)

    /// Opens the service; `start` runs it.
    init(
        _ directory: String, _ chain: SealingChain, name: String = "prod", minimumSeals: Int? = nil,
        trustedKeyIDs: [KeyID] = [], change: (inout Pacing) -> Void = { _ in }
    ) throws {
        self.directory = directory
        self.chain = chain
        clockwork = Clockwork()
        phases = PhaseRecorder()
        logs = LogRecorder()
        var pacing = clockwork.pacing
        change(&pacing)
        let phases = phases
        service = try KeyringService(
            directory: directory, name: name, chain: chain, minimumSeals: minimumSeals,
            trustedKeyIDs: trustedKeyIDs, log: logs.log, pacing: pacing
        ) { phases.add($0) }
    }

    func start() {
        let service = service
        task.withLock { $0 = Task { await service.run() } }
    }

    /// Ends the run, as the plugin does, and waits for it.
    func stop() async {
        let running = task.withLock { $0.take() }
        running?.cancel()
        await running?.value
        await service.shutdown(until: .now + .seconds(20))
    }

    /// A service over the keyring in `directory`, running while `body` does.
    static func with<R>(
        _ directory: String, _ members: [SealingChain.Member], name: String = "prod", minimumSeals: Int? = nil,
        trustedKeyIDs: [KeyID] = [], change: (inout Pacing) -> Void = { _ in }, _ body: (Rig) async throws -> R
    ) async throws -> R {
        let rig = try await opened(
            directory, members, name: name, minimumSeals: minimumSeals, trustedKeyIDs: trustedKeyIDs,
            change: change)
        rig.start()
        do {
            let result = try await body(rig)
            await rig.stop()
            return result
        } catch {
            await rig.stop()
            throw error
        }
    }

    /// A service that does not run yet. Waits for the lock: a process that another test starts at this moment shares it
    /// until it executes its program.
    static func opened(
        _ directory: String, _ members: [SealingChain.Member], name: String = "prod", minimumSeals: Int? = nil,
        trustedKeyIDs: [KeyID] = [], change: (inout Pacing) -> Void = { _ in }
    ) async throws -> Rig {
        var rig: Rig?
        try await eventually("the keyring's lock is free", within: .seconds(20)) {
            do {
                rig = try Rig(
                    directory, SealingChain(members, log: .none), name: name, minimumSeals: minimumSeals,
                    trustedKeyIDs: trustedKeyIDs, change: change)
            } catch let error as KeyringError where error.storeCode == .locked {
                return false
            }
            return true
        }
        guard let rig else { throw TestError("no service") }
        return rig
    }

    /// A service that does not run over a new keyring: `reseal` opens what it needs, and no maintenance comes between.
    static func idle(
        _ keks: [KEK], sealedTo backends: [MemoryBackend], _ members: [SealingChain.Member], minimumSeals: Int? = nil,
        pins: [Pins.Entry]? = nil, _ body: (Rig) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            try await write(path, keks, to: backends, pins: pins)
            let rig = try await opened(path, members, minimumSeals: minimumSeals)
            do {
                try await body(rig)
                await rig.stop()
            } catch {
                await rig.stop()
                throw error
            }
        }
    }

    /// `reseal` with a minute's time.
    func reseal(_ options: ResealOptions = ResealOptions()) async throws -> ResealReport {
        try await service.reseal(options, until: .now + .seconds(60))
    }

    /// What another process would read.
    func stored(_ kek: KEK) throws -> Record {
        let stored = try KeyringStore.open(directory, readOnly: true).load()
        #expect(stored.damaged.isEmpty)
        let record = try #require(stored.record(of: kek.id)).record
        #expect(record.isAuthentic(under: kek))
        return record
    }

    /// The recipients of the seals in `local/`.
    func storedLocally() throws -> [String] {
        try KeyringStore.open(directory, readOnly: true).load().localSeals.map(\.seal.recipient.id).sorted()
    }

    // MARK: Requests

    func encrypt(_ plaintext: [UInt8], _ api: KMSAPI = .v2) throws -> [UInt8] {
        try plaintext.withUnsafeBytes { try service.encrypt($0, api: api).ciphertext }
    }

    /// As a server does: from memory, or by waiting.
    func decrypt(
        _ ciphertext: [UInt8], keyID: String? = nil, _ api: KMSAPI = .v2, within limit: Duration = .seconds(20)
    ) async throws -> [UInt8] {
        switch try hotDecrypt(ciphertext, keyID: keyID, api) {
        case .plaintext(let plaintext): return plaintext.bytes.withUnsafeBytes { Array($0) }
        case .cold(let cold):
            return try await service.decrypt(cold, until: .now + limit).bytes.withUnsafeBytes { Array($0) }
        }
    }

    func hotDecrypt(_ ciphertext: [UInt8], keyID: String? = nil, _ api: KMSAPI = .v2) throws -> Decrypted {
        try ciphertext.withUnsafeBytes { ciphertext in
            guard let keyID else { return try service.decrypt(ciphertext, keyID: nil, api: api) }
            return try Array(keyID.utf8).withUnsafeBytes { keyID in
                try service.decrypt(ciphertext, keyID: keyID, api: api)
            }
        }
    }

    func kek(_ kek: KEK) throws -> KEKReport {
        guard let report = service.report().keks.first(where: { $0.kekID == kek.id }) else {
            throw TestError("KEK \(kek.id) is not in the report")
        }
        return report
    }

    func backend(_ name: String) throws -> BackendReport {
        guard let report = service.report().backends.first(where: { $0.name == name }) else {
            throw TestError("backend \(name) is not in the report")
        }
        return report
    }
}

extension Rig {
    /// Writes a keyring: one record for each KEK, generations from 1, each sealed to `backends`.
    ///
    /// - Parameter pins: what backends are known by; nil for `backends` by their keys.
    static func write(
        _ directory: String, _ keks: [KEK], active: Int? = nil, prepared: Int? = nil, to backends: [MemoryBackend],
        pins: [Pins.Entry]? = nil
    ) async throws {
        let keyring = try Sample.keyring()
        let store = try KeyringStore.create(directory, keyring: keyring)
        var records: [Record] = []
        for (index, kek) in keks.enumerated() {
            records.append(try await record(kek, generation: UInt64(index + 1), to: backends))
        }
        for record in records { try store.writeRecord(record) }
        let active = active ?? keks.count - 1
        try store.writeRoles(
            Roles(
                active: records[active].identity, prepared: prepared.map { records[$0].identity }, under: keks[active]))
        try store.writePins(
            Pins(
                records[active].identity, pins ?? backends.map { Pins.Entry($0.name, [$0.recipient.id]) },
                under: keks[active]))
        try store.finishCreation()
    }

    static func record(_ kek: KEK, generation: UInt64, to backends: [MemoryBackend]) async throws -> Record {
        var seals: [Seal] = []
        for backend in backends {
            seals.append(try await backend.seal(kek, to: backend.recipient, until: .now + .seconds(20)))
        }
        return try Record.make(
            kek: kek, keyring: Sample.keyring(), generation: generation, created: 1_764_000_000, voucherFloor: 0,
            seals: seals)
    }

    /// What a keyring's KEK would have encrypted.
    static func ciphertext(_ plaintext: [UInt8], _ kek: KEK, _ api: KMSAPI = .v2) throws -> [UInt8] {
        try plaintext.withUnsafeBytes { try EnvelopeCipher(kek: kek, keyring: Sample.keyring()).encrypt($0, api: api) }
    }
}

extension SealingChain.Member {
    /// A member with a deadline that no test reaches.
    init(_ backend: any SealingBackend, unsealOnly: Bool = false) {
        self.init(backend, unsealOnly: unsealOnly, deadline: .seconds(60))
    }
}

/// The `ServiceError` that `body` throws, or nil.
func serviceError(_ body: () async throws -> Void) async -> ServiceError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? ServiceError
    }
}
