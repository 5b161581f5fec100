import Crypto
import TestSupport
import Testing

@testable import Keyring

/// Decryptions under KEKs that are not in memory yet.
@Suite(.timeLimit(.minutes(5))) struct ColdTests {
    private func with(
        _ count: Int, _ body: (_ path: String, _ keks: [KEK], _ backend: MemoryBackend) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let backend = try MemoryBackend("hsm")
            let keks = try (0..<count).map { try Sample.kek(UInt8($0 * 32 + 1)) }
            let path = directory + "/keyring"
            try await Rig.write(path, keks, to: [backend])
            try await body(path, keks, backend)
            backend.release()
        }
    }

    /// As many decryptions at once, each of which has to give the plaintext.
    private func storm(_ count: Int, _ ciphertext: [UInt8], _ rig: Rig) -> Task<Int, Never> {
        Task {
            await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<count {
                    group.addTask { (try? await rig.decrypt(ciphertext)) == [1, 2, 3] }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
        }
    }

    @Test func everyKEKIsOpenedOnceAndInTheBackground() async throws {
        try await with(4) { path, keks, backend in
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                await backend.reached(.unseal, 4)
                await rig.clockwork.reached(.maintenance(0))
                for kek in keks {
                    #expect(try await rig.decrypt(Rig.ciphertext([9], kek)) == [9])
                }
                #expect(backend.calls(.unseal) == 4)
                #expect(rig.service.report().keks.allSatisfy { $0.isOpen && $0.openedBy == "hsm" })
                #expect(
                    rig.service.report().keks.map(\.role) == [.decryptsOnly, .decryptsOnly, .decryptsOnly, .active])
            }
        }
    }

    @Test func aHundredDecryptionsShareOneUnseal() async throws {
        try await with(1) { path, keks, backend in
            backend.set(.waits, .unseal)
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                await backend.reached(.unseal)
                let storm = storm(100, try Rig.ciphertext([1, 2, 3], keks[0]), rig)
                try await eventually("all wait", within: .seconds(20)) {
                    rig.service.waiters(for: keks[0].id) == 101
                }
                backend.release()
                #expect(await storm.value == 100)
                #expect(backend.calls(.unseal) == 1)
                #expect(rig.service.report().requests?.decrypts == 100)
            }
        }
    }

    @Test func aHundredDecryptionsUnderAnEarlierKEKShareOneUnsealToo() async throws {
        try await with(2) { path, keks, backend in
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                await rig.clockwork.reached(.maintenance(0))
            }
            // Now only what requests ask for: the service does not run.
            let again = try backend.again()
            let rig = try await Rig.opened(path, [.init(again)])
            let storm = storm(100, try Rig.ciphertext([1, 2, 3], keks[0]), rig)
            #expect(await storm.value == 100)
            #expect(again.calls(.unseal) == 2)
            #expect(again.mostRunning == 1)
            await rig.stop()
        }
    }

    @Test func whoeverGivesUpDoesNotStopTheOthers() async throws {
        try await with(1) { path, keks, backend in
            backend.set(.waits, .unseal)
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                let ciphertext = try Rig.ciphertext([1, 2, 3], keks[0])
                await backend.reached(.unseal)
                let error = await serviceError {
                    _ = try await rig.decrypt(ciphertext, within: .milliseconds(50))
                }
                #expect(error?.code == .deadlineExceeded)
                let cancelled = Task { try await rig.decrypt(ciphertext) }
                let patient = Task { try await rig.decrypt(ciphertext) }
                try await eventually("both wait", within: .seconds(20)) {
                    rig.service.waiters(for: keks[0].id) == 3
                }
                cancelled.cancel()
                _ = await cancelled.result
                backend.release()
                #expect(try await patient.value == [1, 2, 3])
                #expect(backend.calls(.unseal) == 1)
            }
        }
    }

    @Test func aKEKThatDoesNotOpenIsSaidAtOnce() async throws {
        try await with(2) { path, keks, backend in
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                await rig.clockwork.reached(.maintenance(0))
            }
            let away = try backend.again()
            let rig = try await Rig.opened(path, [.init(away)])
            // The active one opens, then the device goes away.
            #expect(try await rig.decrypt(Rig.ciphertext([7], keks[1])) == [7])
            away.set(.fails(.sample(.retry)))
            let cold = try Rig.ciphertext([1, 2, 3], keks[0])
            for _ in 0..<5 {
                let error = await serviceError { _ = try await rig.decrypt(cold) }
                #expect(error?.code == .unavailable)
                #expect(error?.message.contains("hsm: retry on purpose; hint for retry") == true)
            }
            // Not once a request: it was known.
            #expect(away.calls(.unseal) == 2)
            #expect(try rig.kek(keks[0]).problem?.contains("retry on purpose") == true)
            away.set(.works)
            rig.clockwork.advance(.seconds(2))
            #expect(try await rig.decrypt(cold) == [1, 2, 3])
            await rig.stop()
        }
    }

    @Test func anUnknownKEKIsNotFoundAndAsksNobody() async throws {
        try await with(1) { path, _, backend in
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                let foreign = try Rig.ciphertext([1], Sample.kek(200))
                let error = await serviceError { _ = try await rig.decrypt(foreign) }
                #expect(error?.code == .notFound)
                #expect(error?.message.contains("init") == true)
                #expect(backend.calls(.unseal) == 1)
            }
        }
    }

    @Test func waitersHearOfTheShutdown() async throws {
        try await with(1) { path, keks, backend in
            backend.set(.hangs, .unseal)
            let rig = try await Rig.opened(path, [.init(backend)])
            let ciphertext = try Rig.ciphertext([1], keks[0])
            let waiting = Task { await serviceError { _ = try await rig.decrypt(ciphertext) } }
            await backend.reached(.unseal)
            await rig.stop()
            #expect(await waiting.value?.code == .unavailable)
            #expect(await serviceError { _ = try await rig.decrypt(ciphertext) }?.code == .unavailable)
            // The KEK that comes out late stays nowhere.
            backend.release()
            try await eventually("the opening ends", within: .seconds(20)) {
                rig.service.waiters(for: keks[0].id) == nil
            }
            #expect(try rig.kek(keks[0]).isOpen == false)
        }
    }

    @Test func anUntrustedEarlierKEKNeedsAVoucher() async throws {
        try await TemporaryDirectory.with { directory in
            let hsm = try MemoryBackend("hsm", key: 1)
            let tpm = try MemoryBackend("tpm", key: 2, isAuthenticating: false)
            let keks = try (0..<3).map { try Sample.kek(UInt8($0 * 32 + 1)) }
            let path = directory + "/keyring"
            try await Rig.write(path, keks, active: 1, to: [hsm])
            // The last one opens only by the TPM; once without and once with the word of the active KEK.
            let bare = try await Rig.record(keks[2], generation: 3, to: [tpm])
            let file = path + "/" + RecordFile.name(bare.identity)
            try Files.write(RecordFile.encode(bare), to: file)
            let ciphertext = try Rig.ciphertext([5], keks[2])
            try await Rig.with(path, [.init(hsm), .init(tpm, unsealOnly: true)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                await rig.clockwork.reached(.retryOthers)
                let error = await serviceError { _ = try await rig.decrypt(ciphertext) }
                #expect(error?.code == .failedPrecondition)
                #expect(error?.message.contains("vouches") == true)
                #expect(tpm.calls(.unseal) == 0)
            }
            let vouched = try Record.make(
                kek: keks[2], keyring: Sample.keyring(), generation: 3, created: 1, voucherFloor: 0,
                seals: bare.liveSeals, vouchedBy: [(keks[1], 2)])
            try Files.write(RecordFile.encode(vouched), to: file)
            try await Rig.with(path, [.init(hsm.again()), .init(tpm.again(), unsealOnly: true)]) {
                (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try await rig.decrypt(ciphertext) == [5])
            }
        }
    }
}
