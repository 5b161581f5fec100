import Crypto
import TestSupport
import Testing

@testable import Keyring

/// Probes, missing seals, and what `status` says of both.
@Suite(.timeLimit(.minutes(5))) struct MaintenanceTests {
    private func with(
        sealedTo count: Int, change: (inout Pacing) -> Void = { _ in }, unsealOnly: Bool = false,
        _ body: (_ rig: Rig, _ kek: KEK, _ first: MemoryBackend, _ second: MemoryBackend) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let first = try MemoryBackend("first", key: 1)
            let second = try MemoryBackend("second", key: 2)
            let kek = try Sample.kek(1)
            let path = directory + "/keyring"
            try await Rig.write(
                path, [kek], to: Array([first, second].prefix(count)), pins: MaintenanceTests.pins([first, second]))
            try await Rig.with(path, [.init(first), .init(second, unsealOnly: unsealOnly)], change: change) {
                (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                try await body(rig, kek, first, second)
            }
            first.release()
            second.release()
        }
    }

    private static func pins(_ backends: [MemoryBackend]) -> [Pins.Entry] {
        backends.map { Pins.Entry($0.name, [$0.recipient.id]) }
    }

    @Test func aBackendThatGoesAwayIsReportedAndSoIsItsReturn() async throws {
        try await with(sealedTo: 2) { (rig, kek, first, _) async throws in
            await rig.clockwork.reached(.maintenance(0))
            #expect(try rig.backend("first").state == .ok)
            let ciphertext = try rig.encrypt([1])
            first.set(.fails(.sample(.reopen)))
            #expect(await rig.clockwork.end(.maintenance(0)) == .seconds(30) * 0.75)
            #expect(await rig.clockwork.reached(.maintenance(0)) == .milliseconds(750))
            let failing = try rig.backend("first")
            #expect(failing.state == .failing)
            #expect(failing.lastError == "reopen on purpose")
            #expect(failing.lastErrorHint == "hint for reopen")
            #expect(failing.lastErrorClass == .reopen)
            #expect(failing.lastErrorAge == .zero)
            #expect(failing.lastSuccess == .seconds(30) * 0.75)
            // Nobody notices.
            #expect(rig.service.report().state.phase == .serving)
            #expect(try await rig.decrypt(ciphertext) == [1])
            #expect(throws: Never.self) { try rig.service.status() }
            for _ in 0..<5 { await rig.clockwork.end(.maintenance(0)) }
            #expect(await rig.clockwork.reached(.maintenance(0)) == .seconds(5) * 0.75)
            first.set(.works)
            await rig.clockwork.end(.maintenance(0))
            #expect(await rig.clockwork.reached(.maintenance(0)) == .seconds(30) * 0.75)
            #expect(try rig.backend("first").state == .ok)
            #expect(try rig.backend("first").lastSuccess == .zero)
            #expect(first.calls(.unseal) == 1)
            let lines = rig.logs.lines.filter { $0.contains("a backend fails") || $0.contains("a backend is back") }
            #expect(lines.count == 2)
        }
    }

    @Test func aHungProbeIsOneProbe() async throws {
        try await TemporaryDirectory.with { directory in
            let backend = try MemoryBackend("hsm", key: 1)
            let other = try MemoryBackend("other", key: 2)
            let path = directory + "/keyring"
            try await Rig.write(path, [Sample.kek(1)], to: [backend, other])
            // Only the one call that hangs waits for it; a machine under load has to answer the others within.
            let hasty = SealingChain.Member(backend, unsealOnly: false, deadline: .seconds(2))
            try await Rig.with(path, [.init(other), hasty]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                await rig.clockwork.reached(.maintenance(1))
                let before = backend.calls(.probe)
                backend.set(.hangs, .probe)
                for _ in 0..<4 { await rig.clockwork.end(.maintenance(1)) }
                await rig.clockwork.reached(.maintenance(1))
                await backend.reached(.probe, before + 1)
                #expect(backend.calls(.probe) == before + 1)
                #expect(try rig.backend("hsm").lastError?.contains("has not returned") == true)
                #expect(throws: Never.self) { try rig.encrypt([1]) }
                backend.set(.works, .probe)
                backend.release()
                try await eventually("it recovers", within: .seconds(20)) {
                    await rig.clockwork.end(.maintenance(1))
                    await rig.clockwork.reached(.maintenance(1))
                    return try rig.backend("hsm").state == .ok
                }
            }
        }
    }

    @Test func theOtherSealsAreVerifiedAndAgainAfterADay() async throws {
        try await with(sealedTo: 2) { (rig, kek, first, second) async throws in
            await rig.clockwork.reached(.maintenance(0))
            await rig.clockwork.reached(.maintenance(1))
            #expect(try rig.kek(kek).seals.map(\.state) == [.verified, .verified])
            #expect(first.calls(.unseal) == 1)
            #expect(second.calls(.unseal) == 1)
            #expect(second.calls(.probe) == 0)
            rig.clockwork.advance(.seconds(86401))
            #expect(try rig.kek(kek).seals.first?.age ?? .zero > .seconds(86400))
            second.set(.lies, .unseal)
            for member in 0...1 {
                await rig.clockwork.end(.maintenance(member))
                await rig.clockwork.reached(.maintenance(member))
            }
            #expect(first.calls(.unseal) == 2)
            #expect(second.calls(.unseal) == 2)
            #expect(try rig.kek(kek).seals.map(\.state) == [.verified, .unverified])
            #expect(try rig.kek(kek).seals.last?.problem?.contains("something else") == true)
        }
    }

    @Test func aMissingSealIsMadeWhenItsBackendIsThere() async throws {
        try await with(sealedTo: 1) { (rig, kek, first, second) async throws in
            await rig.clockwork.reached(.maintenance(1))
            try await eventually("healed", within: .seconds(20)) {
                try rig.kek(kek).seals.map(\.state) == [.verified, .verified]
            }
            let status = try rig.service.status()
            let publication = try Publication(decoding: status.annotation)
            #expect(publication.active.liveSeals.map(\.recipient.id) == ["memory:key1", "memory:key2"])
            #expect(publication.isAuthentic(under: kek))
            #expect(publication.keyID().text == status.keyID)
            // On the disk before it is said: another process reads the same key_id out of it.
            let stored = try KeyringStore.open(rig.directory, readOnly: true).load()
            #expect(stored.record(of: kek.id)?.record == publication.active)
            #expect(second.calls(.seal) == 1)
            #expect(second.calls(.unseal) == 1)
        }
    }

    @Test func healingWaitsForItsTimeAndForItsBackend() async throws {
        try await with(sealedTo: 1, change: { $0.healDelay = 60...300 }) { (rig, kek, _, second) async throws in
            let before = try rig.service.status()
            await rig.clockwork.reached(.maintenance(1))
            #expect(second.calls(.seal) == 0)
            #expect(try rig.kek(kek).seals.last?.state == .missing)
            #expect(try rig.kek(kek).seals.last?.backend == "second")
            #expect(rig.service.report().warnings.contains { $0.contains("1 seals, 2 are wanted") })
            second.set(.fails(.sample(.retry)))
            rig.clockwork.advance(.seconds(61))
            await rig.clockwork.end(.maintenance(1))
            await rig.clockwork.reached(.maintenance(1))
            #expect(second.calls(.seal) == 0)
            #expect(try rig.kek(kek).seals.last?.problem == "retry on purpose")
            #expect(try rig.service.status() === before)
            second.set(.works)
            await rig.clockwork.end(.maintenance(1))
            await rig.clockwork.reached(.maintenance(1))
            #expect(try rig.kek(kek).seals.map(\.state) == [.verified, .verified])
            let after = try rig.service.status()
            #expect(after.keyID != before.keyID)
            #expect(after.keyID.dropLast(8) == before.keyID.dropLast(8))
            #expect(rig.service.report().warnings.isEmpty)
            #expect(try await rig.decrypt(rig.encrypt([1]), keyID: before.keyID) == [1])
        }
    }

    @Test func aSealThatDoesNotOpenAgainIsNotAdded() async throws {
        try await with(sealedTo: 1) { (rig, kek, _, second) async throws in
            await rig.clockwork.reached(.maintenance(1))
            try await eventually("healed", within: .seconds(20)) { try rig.kek(kek).seals.count == 2 }
        }
        try await TemporaryDirectory.with { directory in
            let first = try MemoryBackend("first", key: 1)
            let second = try MemoryBackend("second", key: 2)
            second.set(.lies, .unseal)
            let kek = try Sample.kek(1)
            let path = directory + "/keyring"
            try await Rig.write(path, [kek], to: [first], pins: MaintenanceTests.pins([first, second]))
            try await Rig.with(path, [.init(first), .init(second)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                await rig.clockwork.reached(.maintenance(1))
                #expect(second.calls(.seal) == 1)
                #expect(try rig.kek(kek).seals.map(\.state) == [.verified, .missing])
                #expect(try rig.kek(kek).seals.last?.problem?.contains("something else") == true)
                #expect(try rig.kek(kek).seals.last?.recipientID == "memory:key2")
            }
        }
    }

    @Test func aRetiringBackendGetsNoSeal() async throws {
        try await with(sealedTo: 1, unsealOnly: true) { (rig, kek, _, second) async throws in
            for _ in 0..<2 { await rig.clockwork.end(.maintenance(1)) }
            await rig.clockwork.reached(.maintenance(1))
            #expect(second.calls(.seal) == 0)
            #expect(try rig.kek(kek).seals.map(\.state) == [.verified])
            #expect(try rig.backend("second").unsealOnly)
        }
    }

    @Test func aRemovedRecipientStaysRemoved() async throws {
        try await TemporaryDirectory.with { directory in
            let first = try MemoryBackend("first", key: 1)
            let second = try MemoryBackend("second", key: 2)
            let kek = try Sample.kek(1)
            let path = directory + "/keyring"
            try await Rig.write(path, [kek], to: [first, second])
            let record = try await Rig.record(kek, generation: 1, to: [first, second])
                .removing(second.recipient.id, under: kek)
            try Files.write(RecordFile.encode(record), to: path + "/" + RecordFile.name(record.identity))
            try await Rig.with(path, [.init(first), .init(second)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                let before = try rig.service.status()
                await rig.clockwork.reached(.maintenance(1))
                #expect(second.calls(.seal) == 2)
                #expect(try rig.kek(kek).seals.map(\.state) == [.verified, .tombstone, .missing])
                #expect(try rig.kek(kek).seals.last?.problem?.contains("was removed") == true)
                #expect(try rig.service.status() === before)
            }
        }
    }

    @Test func thePreparedKEKIsPublishedWhenItOpens() async throws {
        try await TemporaryDirectory.with { directory in
            let backend = try MemoryBackend("first", key: 1)
            let other = try MemoryBackend("second", key: 2)
            let keks = [try Sample.kek(1), try Sample.kek(33)]
            let path = directory + "/keyring"
            try await Rig.write(path, keks, active: 0, prepared: 1, to: [backend])
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                let publication = try Publication(decoding: rig.service.status().annotation)
                #expect(publication.prepared?.identity.kekID == keks[1].id)
                #expect(try rig.kek(keks[1]).role == .prepared)
                #expect(try rig.kek(keks[1]).isOpen)
                #expect(rig.phases.all.map(\.phase) == [.serving])
            }
            // Sealed to a backend that is away.
            let record = try await Rig.record(keks[1], generation: 2, to: [other])
            try Files.write(RecordFile.encode(record), to: path + "/" + RecordFile.name(record.identity))
            other.set(.fails(.sample(.reopen)))
            try await Rig.with(path, [.init(backend.again()), .init(other, unsealOnly: true)]) {
                (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                let without = try rig.service.status()
                #expect(try Publication(decoding: without.annotation).prepared == nil)
                await rig.clockwork.reached(.retryOthers)
                other.set(.works)
                await rig.clockwork.end(.retryOthers)
                try await eventually("published", within: .seconds(20)) { try rig.service.status() !== without }
                let with = try rig.service.status()
                #expect(try Publication(decoding: with.annotation).prepared == record)
                #expect(with.keyID != without.keyID)
            }
        }
    }
}
