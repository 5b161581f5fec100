import Crypto
import TestSupport
import Testing

@testable import Keyring

/// How the active KEK is opened, with backends that behave badly.
@Suite(.timeLimit(.minutes(5))) struct OpeningTests {
    /// A keyring of one KEK that is sealed to two backends.
    private func with(
        _ body: (_ path: String, _ kek: KEK, _ first: MemoryBackend, _ second: MemoryBackend) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let first = try MemoryBackend("first", key: 1)
            let second = try MemoryBackend("second", key: 2)
            let kek = try Sample.kek(1)
            let path = directory + "/keyring"
            try await Rig.write(path, [kek], to: [first, second])
            try await body(path, kek, first, second)
            first.release()
            second.release()
        }
    }

    @Test func theFirstBackendThatAnswersIsTheOnlyOneAsked() async throws {
        try await with { path, kek, first, second in
            try await Rig.with(path, [.init(second), .init(first)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try rig.kek(kek).openedBy == "second")
                #expect(first.calls(.unseal) <= 1)
                #expect(second.calls(.unseal) == 1)
            }
        }
    }

    @Test(arguments: [SealingError.Class.retry, .reopen, .permanent, .operatorMustAct])
    func theNextIsAskedWhenOneFails(errorClass: SealingError.Class) async throws {
        try await with { path, kek, first, second in
            first.set(.fails(.sample(errorClass)))
            try await Rig.with(path, [.init(first), .init(second)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(rig.phases.all.map(\.phase) == [.serving])
                #expect(try rig.kek(kek).openedBy == "second")
                // That it fails is known only of errors that are not the seal's own.
                await rig.clockwork.reached(.maintenance(0))
                #expect(try rig.backend("first").state == .failing)
                #expect(try rig.backend("first").lastErrorHint == "hint for \(errorClass.rawValue)")
            }
        }
    }

    @Test func aLieIsRefused() async throws {
        try await with { path, kek, first, second in
            first.set(.lies, .unseal)
            try await Rig.with(path, [.init(first), .init(second)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try rig.kek(kek).openedBy == "second")
                await rig.clockwork.reached(.maintenance(0))
                let seal = try rig.kek(kek).seals.first { $0.backend == "first" }
                #expect(seal?.state == .unverified)
                #expect(seal?.problem?.contains("does not open") == true)
            }
        }
    }

    @Test func aHungBackendCostsItsDeadline() async throws {
        try await with { path, kek, first, second in
            first.set(.hangs)
            let members = [
                SealingChain.Member(first, unsealOnly: false, deadline: .milliseconds(100)), .init(second),
            ]
            try await Rig.with(path, members) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try rig.kek(kek).openedBy == "second")
                // The late answer changes nothing.
                first.set(.works)
                first.release()
                await rig.clockwork.reached(.maintenance(0))
                #expect(try rig.kek(kek).openedBy == "second")
            }
        }
    }

    @Test func waitsAndSaysWhyUntilABackendIsBack() async throws {
        try await with { path, kek, first, second in
            first.set(.fails(.sample(.reopen)))
            second.set(.fails(.sample(.retry)))
            try await Rig.with(path, [.init(first), .init(second)]) { (rig: Rig) async throws in
                let waiting = await rig.phases.reached(.waiting)
                #expect(waiting.reason?.contains("first: reopen on purpose, second: retry on purpose") == true)
                #expect(waiting.hint == "hint for reopen")
                let error = await serviceError { _ = try rig.service.status() }
                #expect(error?.code == .unavailable)
                #expect(error?.message.contains("first: reopen on purpose") == true)
                #expect(await serviceError { _ = try rig.encrypt([1]) } == error)
                #expect(rig.service.report().state == waiting)
                #expect(rig.service.report().keyID == nil)
                let delays = [await rig.clockwork.end(.retry), await rig.clockwork.end(.retry)]
                #expect(delays == [.milliseconds(750), .milliseconds(1500)])
                await rig.clockwork.reached(.retry)
                #expect(first.calls(.unseal) == 3)
                second.set(.works)
                await rig.clockwork.end(.retry)
                await rig.phases.reached(.serving)
                #expect(throws: Never.self) { try rig.service.status() }
                #expect(try rig.kek(kek).openedBy == "second")
                #expect(rig.phases.all.map(\.phase) == [.waiting, .serving])
            }
        }
    }

    @Test func whatOnlyAnOperatorCanMendIsSaid() async throws {
        try await with { path, _, first, _ in
            first.set(.fails(.sample(.operatorMustAct)))
            try await Rig.with(path, [.init(first)]) { (rig: Rig) async throws in
                let blocked = await rig.phases.reached(.blocked)
                #expect(blocked.hint == "hint for operatorMustAct")
                #expect(await serviceError { _ = try rig.service.status() }?.code == .failedPrecondition)
                first.set(.works)
                await rig.clockwork.end(.retry)
                await rig.phases.reached(.serving)
            }
        }
    }

    @Test func aSealRefusedForGoodIsAskedForAgainOnlyWhenItIsAnother() async throws {
        try await with { path, kek, first, _ in
            first.set(.fails(.sample(.permanent)), .unseal)
            try await Rig.with(path, [.init(first)]) { (rig: Rig) async throws in
                await rig.phases.reached(.blocked)
                for _ in 0..<3 { await rig.clockwork.end(.retry) }
                await rig.clockwork.reached(.retry)
                #expect(first.calls(.unseal) == 1)
                first.set(.works, .unseal)
                await rig.clockwork.end(.retry)
                await rig.clockwork.reached(.retry)
                #expect(first.calls(.unseal) == 1)
                // The operator puts a record with another seal into place.
                let record = try await Rig.record(kek, generation: 1, to: [first])
                try Files.write(RecordFile.encode(record), to: path + "/" + RecordFile.name(record.identity))
                await rig.clockwork.end(.retry)
                await rig.phases.reached(.serving)
                #expect(first.calls(.unseal) == 2)
            }
        }
    }

    @Test func aKeyringOfOtherBackendsIsNamed() async throws {
        try await with { path, _, _, _ in
            let third = try MemoryBackend("third", key: 3)
            try await Rig.with(path, [.init(third)]) { (rig: Rig) async throws in
                let blocked = await rig.phases.reached(.blocked)
                #expect(blocked.reason?.contains("sealed to none of the configured backends") == true)
                #expect(blocked.reason?.contains("memory:key1, memory:key2") == true)
                #expect(third.calls(.unseal) == 0)
            }
        }
    }

    @Test func aSealThatAnyoneCouldHaveMadeIsNotOpened() async throws {
        try await TemporaryDirectory.with { directory in
            let open = try MemoryBackend("tpm", key: 1, isAuthenticating: false)
            let hsm = try MemoryBackend("hsm", key: 2)
            let kek = try Sample.kek(1)
            let path = directory + "/keyring"
            try await Rig.write(path, [kek], to: [open, hsm])
            try await Rig.with(path, [.init(open)]) { (rig: Rig) async throws in
                let blocked = await rig.phases.reached(.blocked)
                #expect(blocked.reason?.contains("anyone could have made the seal") == true)
                #expect(blocked.hint?.contains("only its own key can make") == true)
                #expect(open.calls(.unseal) == 0)
            }
            try await Rig.with(path, [.init(open), .init(hsm)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try rig.kek(kek).openedBy == "hsm")
            }
        }
    }

    @Test("The operator's word for a KEK opens its seals that anyone could have made, and no other KEK's")
    func trustedKeyIDs() async throws {
        try await TemporaryDirectory.with { directory in
            let open = try MemoryBackend("tpm", key: 1, isAuthenticating: false)
            let (kek, other) = (try Sample.kek(1), try Sample.kek(2))
            let path = directory + "/keyring"
            try await Rig.write(path, [kek], to: [open])
            let wrong = [
                "prod/1/\(other.id)/aaaaaaaa", "prod/2/\(kek.id)/aaaaaaaa", "other/1/\(kek.id)/aaaaaaaa",
            ]
            try await Rig.with(path, [.init(open)], trustedKeyIDs: wrong.map { try KeyID($0) }) {
                (rig: Rig) async throws in
                let blocked = await rig.phases.reached(.blocked)
                #expect(blocked.hint?.contains("keyring.trustedKeyIDs") == true)
                #expect(blocked.hint?.contains("prod/1/\(kek.id)/") == true)
                #expect(open.calls(.unseal) == 0)
            }
            let right = try KeyID("prod/1/\(kek.id)/aaaaaaaa")
            // A service shuts its backends down with itself.
            let again = try MemoryBackend("tpm", key: 1, isAuthenticating: false)
            try await Rig.with(path, [.init(again)], trustedKeyIDs: [right]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try rig.kek(kek).openedBy == "tpm")
            }
        }
    }

    @Test func aLocalSealIsEnough() async throws {
        try await with { path, kek, first, second in
            let local = try MemoryBackend("local", key: 9)
            let seal = try await local.seal(kek, to: local.recipient, until: .now + .seconds(20))
            try KeyringStore.open(path, readOnly: false).writeLocalSeal(seal)
            try await Rig.with(path, [.init(local), .init(first)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                #expect(try rig.kek(kek).openedBy == "local")
                #expect(try rig.kek(kek).seals.first?.isLocal == true)
                #expect(try rig.kek(kek).seals.first?.state == .verified)
                #expect(second.calls(.unseal) == 0)
            }
        }
    }

    @Test func cancellingEndsTheRunWhileABackendHangs() async throws {
        try await with { path, _, first, _ in
            first.set(.hangs)
            let rig = try await Rig.opened(path, [.init(first)])
            rig.start()
            await first.reached(.unseal)
            await rig.stop()
            #expect(rig.service.report().state.phase == .stopped)
            #expect(await serviceError { _ = try rig.service.status() }?.code == .unavailable)
            // The lock is free again although the call still hangs.
            #expect(throws: Never.self) { try KeyringStore.open(path, readOnly: false) }
        }
    }
}
