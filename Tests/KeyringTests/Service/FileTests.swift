import Crypto
import TestSupport
import Testing

@testable import Keyring

/// What a service makes of files that are not as they were left.
@Suite(.timeLimit(.minutes(5))) struct FileTests {
    private func with(
        _ count: Int = 1, active: Int? = nil,
        _ body: (_ path: String, _ keks: [KEK], _ backend: MemoryBackend) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let backend = try MemoryBackend("hsm")
            let keks = try (0..<count).map { try Sample.kek(UInt8($0 * 32 + 1)) }
            let path = directory + "/keyring"
            try await Rig.write(path, keks, active: active, to: [backend])
            try await body(path, keks, backend)
        }
    }

    private func keyringError(_ path: String, _ backend: MemoryBackend, name: String = "prod") -> KeyringError? {
        do {
            _ = try Rig(path, SealingChain([.init(backend)], log: .none), name: name)
            return nil
        } catch {
            return error as? KeyringError
        }
    }

    /// The record with one bit of its MAC flipped.
    private func altered(_ record: Record) throws -> Record {
        var bytes = record.encoded
        let at = try #require(bytes.indices.last { Array(bytes[$0...].prefix(32)) == record.mac })
        bytes[at] ^= 1
        return try Record(decoding: bytes)
    }

    @Test func anotherNameIsRefused() async throws {
        try await with { path, _, backend in
            let error = keyringError(path, backend, name: "test")
            #expect(error?.code == .name)
            #expect(error?.message.contains("\"prod\", not \"test\"") == true)
            #expect(error?.hint?.contains("keyring.name") == true)
            #expect(keyringError(path, backend) == nil)
        }
    }

    @Test func noKeyringNoService() async throws {
        let backend = try MemoryBackend("hsm")
        let error = keyringError("/nowhere/at/all", backend)
        #expect(error?.storeCode == .missing)
        #expect(error?.hint?.contains("init") == true)
    }

    @Test func aRollbackIsRefused() async throws {
        try await with(2, active: 0) { path, _, backend in
            try Files.write("2\n", to: path + "/highest")
            let error = keyringError(path, backend)
            #expect(error?.storeCode == .rollback)
            #expect(error?.message.contains("generation 2 was before") == true)
        }
    }

    @Test func aHighestThatIsTooLowIsRaised() async throws {
        try await with(2) { path, _, backend in
            try Files.write("1\n", to: path + "/highest")
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try Files.readText(path + "/highest") == "2\n")
            }
        }
    }

    @Test func oneServiceAtATime() async throws {
        try await with { path, _, backend in
            let rig = try Rig(path, SealingChain([.init(backend)], log: .none))
            #expect(keyringError(path, backend)?.storeCode == .locked)
            await rig.stop()
            #expect(keyringError(path, backend) == nil)
        }
    }

    @Test func forgedRolesAreNotFollowed() async throws {
        try await with(2) { path, keks, backend in
            // Back to the first KEK, by somebody without its key.
            let real = try #require(try KeyringStore.open(path, readOnly: true).load().roles)
            let first = try Sample.identity(keks[0])
            let forged = Roles(
                keyring: real.keyring, active: Roles.Entry(first), prepared: nil,
                mac: [UInt8](repeating: 7, count: 32))
            try Files.write(RolesFile.encode(forged), to: path + "/roles")
            try Files.write("1\n", to: path + "/highest")
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                let blocked = await rig.phases.reached(.blocked)
                #expect(blocked.reason?.contains("\(path)/roles was altered") == true)
                #expect(await serviceError { _ = try rig.encrypt([1]) }?.code == .failedPrecondition)
                #expect(backend.calls(.unseal) == 1)
                await rig.clockwork.end(.retry)
                await rig.clockwork.reached(.retry)
                #expect(backend.calls(.unseal) == 1)
                try Files.write(RolesFile.encode(real), to: path + "/roles")
                await rig.clockwork.end(.retry)
                await rig.phases.reached(.serving)
                #expect(try rig.kek(keks[1]).role == .active)
            }
        }
    }

    @Test func anAlteredRecordIsNotUsed() async throws {
        try await with { path, keks, backend in
            let stored = try #require(try KeyringStore.open(path, readOnly: true).load().record(of: keks[0].id))
            try Files.write(RecordFile.encode(altered(stored.record)), to: path + "/" + stored.file)
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                let blocked = await rig.phases.reached(.blocked)
                #expect(blocked.reason?.contains("\(path)/\(stored.file) was altered") == true)
                #expect(try rig.kek(keks[0]).isOpen == false)
                try Files.write(RecordFile.encode(stored.record), to: path + "/" + stored.file)
                await rig.clockwork.end(.retry)
                await rig.phases.reached(.serving)
            }
        }
    }

    @Test func damageToAnOldKEKDoesNotStopTheActiveOne() async throws {
        try await with(3) { path, keks, backend in
            let stored = try KeyringStore.open(path, readOnly: true).load()
            let first = try #require(stored.record(of: keks[0].id))
            let second = try #require(stored.record(of: keks[1].id))
            let whole = try Files.readText(path + "/" + first.file)
            try Files.write("nothing\n", to: path + "/" + first.file)
            try Files.write(RecordFile.encode(altered(second.record)), to: path + "/" + second.file)
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                await rig.clockwork.reached(.retryOthers)
                let report = rig.service.report()
                #expect(report.damagedFiles.map(\.file) == [first.file])
                #expect(try rig.kek(keks[1]).problem?.contains("altered") == true)
                #expect(try await rig.decrypt(rig.encrypt([1, 2])) == [1, 2])
                let lost = try Rig.ciphertext([1], keks[0])
                let error = await serviceError { _ = try await rig.decrypt(lost) }
                #expect(error?.code == .notFound)
                #expect(error?.message.contains(first.file) == true)
                let altered = try Rig.ciphertext([1], keks[1])
                #expect(await serviceError { _ = try await rig.decrypt(altered) }?.code == .failedPrecondition)
                #expect(try Files.readText(path + "/" + first.file) == "nothing\n")
                // Restored while it serves.
                try Files.write(whole, to: path + "/" + first.file)
                await rig.clockwork.end(.retryOthers)
                await rig.clockwork.reached(.retryOthers)
                #expect(try await rig.decrypt(lost) == [1])
                #expect(rig.service.report().damagedFiles.isEmpty)
            }
        }
    }

    @Test func theReportOfTheFilesAlone() async throws {
        try await with(2) { path, keks, _ in
            let report = try KeyringReport.reading(directory: path)
            #expect(report.name == "prod")
            #expect(report.state.phase == .stopped)
            #expect(report.keks.map(\.role) == [.decryptsOnly, .active])
            #expect(report.keks.map(\.kekID) == keks.map(\.id))
            #expect(report.keks.allSatisfy { !$0.isOpen && $0.seals.map(\.state) == [.unverified] })
            try Files.write("3\n", to: path + "/highest")
            #expect(try KeyringReport.reading(directory: path).state.reason?.contains("generation 3") == true)
        }
        #expect(throws: KeyringError.self) { try KeyringReport.reading(directory: "/nowhere/at/all") }
    }
}
