import Crypto
import TestSupport
import Testing

@testable import Keyring

/// A backend that is away for an hour is asked at most once each backoff interval, whoever wants it.
@Suite(.timeLimit(.minutes(5))) struct DeadBackendTests {
    /// How often that may be in an hour, with the shortest jitter: pauses of 0.75, 1.5, 3 … s up to three quarters of 30 s
    /// or of 5 s.
    private static func bound(_ errorClass: SealingError.Class) -> Int {
        var left = Duration.seconds(3600)
        var attempts = 1
        while true {
            left -= Backoff.delay(after: attempts, errorClass, factor: 0.75)
            if left < .zero { return attempts }
            attempts += 1
        }
    }

    @Test(
        "by openings, healing, verification, probes and Decrypts together",
        arguments: [
            SealingError.Class.retry, .reopen, .operatorMustAct,
        ])
    func whileServing(_ errorClass: SealingError.Class) async throws {
        try await TemporaryDirectory.with { directory in
            let well = try MemoryBackend("well", key: 1)
            let dead = try MemoryBackend("dead", key: 2)
            let keks = [try Sample.kek(1), try Sample.kek(33), try Sample.kek(65)]
            let path = directory + "/keyring"
            // The active KEK lacks the dead one's seal; the others have no other.
            let pins = [well, dead].map { Pins.Entry($0.name, [$0.recipient.id]) }
            try await Rig.write(path, keks, active: 2, to: [dead], pins: pins)
            let active = try await Rig.record(keks[2], generation: 3, to: [well])
            try Files.write(RecordFile.encode(active), to: path + "/" + RecordFile.name(active.identity))
            let cold = try keks.dropLast().map { try Rig.ciphertext([7], $0) }
            dead.set(.fails(.sample(errorClass)))
            try await Rig.with(path, [.init(dead), .init(well)]) { (rig: Rig) async throws in
                // The rig has the backend: a backend that had the rig would keep both for ever.
                dead.time { [clockwork = rig.clockwork] in clockwork.now }
                await rig.phases.reached(.serving)
                let before = dead.times.count
                #expect(before <= 1)
                let pauses = [Pacing.Pause.maintenance(0), .maintenance(1), .retryOthers]
                var requests = 0
                try await rig.clockwork.pass(.seconds(3600), in: pauses) { () async throws in
                    for ciphertext in cold {
                        let error = await serviceError { _ = try await rig.decrypt(ciphertext) }
                        #expect(error?.message.contains("\(errorClass.rawValue) on purpose") == true)
                        requests += 1
                    }
                    #expect(try await rig.decrypt(rig.encrypt([1])) == [1])
                }
                // Of those that were under way together when it failed the first time one counts.
                let together = dead.times.count { $0 == dead.times[0] }
                #expect(together <= pauses.count)
                let times = dead.times.dropFirst(together - 1)
                let (bound, asked) = (DeadBackendTests.bound(errorClass), times.count)
                #expect(asked <= bound && asked > bound / 2, "\(asked) of at most \(bound)")
                for (index, pair) in zip(times, times.dropFirst()).enumerated() {
                    let pause = Backoff.delay(after: index + 1, errorClass, factor: 0.75)
                    #expect(pair.1 - pair.0 >= pause, "call \(index + 2) came too early")
                }
                #expect(requests > asked)
                let report = try rig.backend("dead")
                #expect(report.calls == UInt64(dead.times.count) && report.sparedCalls > 0)
                #expect(report.state == .failing && report.nextTry != nil)

                // Back again: the first who may finds out, then everything is made good.
                dead.set(.works)
                try await eventually("all is open and sealed", within: .seconds(60)) {
                    for pause in pauses { rig.clockwork.endIfReached(pause) }
                    let seals = try rig.kek(keks[2]).seals
                    return rig.service.report().keks.allSatisfy(\.isOpen)
                        && seals.allSatisfy { $0.state == .verified }
                }
                for ciphertext in cold { #expect(try await rig.decrypt(ciphertext) == [7]) }
                #expect(try rig.backend("dead").nextTry == nil)
            }
        }
    }

    @Test("by a start that waits for it, and by its clients", arguments: [SealingError.Class.retry, .reopen])
    func atStart(_ errorClass: SealingError.Class) async throws {
        try await TemporaryDirectory.with { directory in
            let (first, second) = (try MemoryBackend("first", key: 1), try MemoryBackend("second", key: 2))
            let kek = try Sample.kek(1)
            let path = directory + "/keyring"
            try await Rig.write(path, [kek], to: [first, second])
            let ciphertext = try Rig.ciphertext([7], kek)
            for backend in [first, second] { backend.set(.fails(.sample(errorClass))) }
            try await Rig.with(path, [.init(first), .init(second)]) { (rig: Rig) async throws in
                for backend in [first, second] { backend.time { [clockwork = rig.clockwork] in clockwork.now } }
                await rig.phases.reached(.waiting)
                try await rig.clockwork.pass(.seconds(3600), in: [.retry]) { () async throws in
                    #expect(await serviceError { _ = try await rig.decrypt(ciphertext) }?.code == .unavailable)
                    #expect(await serviceError { _ = try rig.service.status() }?.code == .unavailable)
                }
                for backend in [first, second] {
                    let (asked, bound) = (backend.times.count, DeadBackendTests.bound(errorClass))
                    #expect(asked <= bound && asked > bound / 2, "\(asked) of at most \(bound)")
                }
                second.set(.works)
                await rig.clockwork.end(.retry)
                await rig.phases.reached(.serving)
                #expect(try await rig.decrypt(ciphertext) == [7])
            }
        }
    }
}
