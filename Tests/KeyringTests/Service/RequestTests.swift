import Crypto
import TestSupport
import Testing

@testable import Keyring

/// Encrypt, Decrypt and Status of a keyring that serves.
@Suite(.timeLimit(.minutes(5))) struct RequestTests {
    private func with(_ body: (_ rig: Rig, _ keks: [KEK]) async throws -> Void) async throws {
        try await TemporaryDirectory.with { directory in
            let backend = try MemoryBackend("hsm")
            let keks = [try Sample.kek(1), try Sample.kek(33)]
            let path = directory + "/keyring"
            try await Rig.write(path, keks, to: [backend])
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                await backend.reached(.unseal, 2)
                await rig.clockwork.reached(.maintenance(0))
                _ = try await rig.decrypt(Rig.ciphertext([1], keks[0]))
                try await body(rig, keks)
            }
        }
    }

    @Test func noDamagedCiphertextGivesAPlaintext() async throws {
        try await with { (rig, _) async throws in
            let ciphertext = try rig.encrypt(Array(0..<32))
            let keyID = try rig.service.status().keyID
            for damaged in everyDamage(ciphertext) {
                let error = await serviceError { _ = try await rig.decrypt(damaged, keyID: keyID) }
                // A damaged name of a KEK is that of one which is not here.
                let isNameDamaged = damaged.count == ciphertext.count && damaged[1..<17] != ciphertext[1..<17]
                #expect(error?.code == (isNameDamaged ? .notFound : .invalidArgument))
            }
            let failures = try #require(rig.service.report().requests?.failures)
            let inTheName: UInt64 = 16 * 8
            #expect(failures[.notFound] == inTheName)
            #expect(failures[.internalError] == nil)
        }
    }

    @Test func theKeyIDHasToNameTheKEK() async throws {
        try await with { (rig, keks) async throws in
            let ciphertext = try rig.encrypt([1, 2, 3])
            let keyID = try rig.service.status().keyID
            #expect(try await rig.decrypt(ciphertext, keyID: keyID) == [1, 2, 3])
            // An earlier publication of the same KEK.
            let earlier = String(keyID.dropLast(8)) + "aaaaaaaa"
            #expect(try await rig.decrypt(ciphertext, keyID: earlier) == [1, 2, 3])
            let old = try Rig.ciphertext([4], keks[0])
            #expect(try await rig.decrypt(old, keyID: "prod/1/\(keks[0].id)/aaaaaaaa") == [4])
            for wrong in [
                "", "prod", keyID + "a", String(keyID.dropLast()), keyID.uppercased(), "prod/1/\(keks[0].id)/aaaaaaaa",
                "test" + keyID.dropFirst(4), "prod/3" + keyID.dropFirst(6),
            ] {
                let error = await serviceError { _ = try await rig.decrypt(ciphertext, keyID: wrong) }
                #expect(error?.code == .invalidArgument, "\(wrong)")
            }
        }
    }

    @Test func plaintextsOfTheWrongSizeAreTheCallersFault() async throws {
        try await with { (rig, _) async throws in
            for size in [0, 968, 5000] {
                let error = await serviceError { _ = try rig.encrypt([UInt8](repeating: 1, count: size)) }
                #expect(error?.code == .invalidArgument)
            }
            let error = await serviceError {
                _ = try await rig.decrypt(rig.encrypt([1], .v2), .v1beta1)
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func requestsAreCounted() async throws {
        try await with { (rig, _) async throws in
            let before = try #require(rig.service.report().requests)
            let ciphertext = try rig.encrypt([1])
            for _ in 0..<3 { _ = try await rig.decrypt(ciphertext) }
            _ = await serviceError { _ = try rig.encrypt([]) }
            let after = try #require(rig.service.report().requests)
            #expect(after.encrypts - before.encrypts == 1)
            #expect(after.decrypts - before.decrypts == 3)
            #expect(after.failures == [.invalidArgument: 1])
        }
    }

    @Test func statusRepeatsACheckForASecondOnly() throws {
        let cipher = EnvelopeCipher(kek: try Sample.kek(1), keyring: try Sample.keyring())
        let active = Snapshot.Active(cipher, CurrentPublication(keyID: "prod/1/a/b", annotation: []))
        let now = ContinuousClock.now
        for offset in [0, 500, 1000, 1001, 5000, -1000] {
            #expect(throws: Never.self) { try active.check(now: now + .milliseconds(offset), age: .seconds(1)) }
        }
    }

    @Test func everythingIsRefusedAfterTheShutdown() async throws {
        try await TemporaryDirectory.with { directory in
            let backend = try MemoryBackend("hsm")
            let path = directory + "/keyring"
            try await Rig.write(path, [Sample.kek(1)], to: [backend])
            let rig = try await Rig.opened(path, [.init(backend)])
            rig.start()
            await rig.phases.reached(.serving)
            let ciphertext = try rig.encrypt([1])
            await rig.stop()
            #expect(rig.phases.all.map(\.phase) == [.serving, .stopped])
            for body in [
                { _ = try rig.service.status() }, { _ = try rig.encrypt([1]) },
            ] as [() throws -> Void] {
                #expect(await serviceError(body)?.code == .unavailable)
            }
            #expect(await serviceError { _ = try await rig.decrypt(ciphertext) } != nil)
            #expect(rig.service.report().keks.allSatisfy { !$0.isOpen })
        }
    }
}
