import Crypto
import TestSupport
import Testing

@testable import Keyring

/// A seal that was refused for good is asked for again, seldom: what made the device refuse it may have changed.
@Suite(.timeLimit(.minutes(5))) struct RefusalTests {
    private func with(_ body: (_ rig: Rig, _ backend: MemoryBackend, _ ciphertext: [UInt8]) async throws -> Void)
        async throws
    {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let backend = try MemoryBackend("tpm", key: 1)
            let kek = try Sample.kek(1)
            try await Rig.write(path, [kek], to: [backend])
            backend.set(.fails(.sample(.permanent)), .unseal)
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                backend.time { [clockwork = rig.clockwork] in clockwork.now }
                await rig.phases.reached(.blocked)
                try await body(rig, backend, try Rig.ciphertext([7], kek))
            }
        }
    }

    @Test("at 5, 15, 35 minutes, then each half hour, whatever clients want, and serves when it opens")
    func slowly() async throws {
        try await with { (rig: Rig, backend: MemoryBackend, ciphertext: [UInt8]) async throws in
            let start = rig.clockwork.now
            try await rig.clockwork.pass(.seconds(7200), in: [.retry]) { () async throws in
                #expect(await serviceError { _ = try await rig.decrypt(ciphertext) }?.code == .failedPrecondition)
            }
            // With the shortest jitter; each attempt comes with the next look, at most 22.5 s later.
            let pauses = [225.0, 450, 900, 1350, 1350, 1350, 1350]
            let times = backend.times.map { $0 - start }.filter { $0 > .zero }
            #expect(times.count == pauses.count)
            var due = Duration.zero
            for (time, pause) in zip(times, pauses) {
                #expect(time >= due + .seconds(pause) && time <= due + .seconds(pause + 23), "\(time)")
                due = time
            }
            backend.set(.works)
            try await eventually("it serves", within: .seconds(60)) {
                rig.clockwork.endIfReached(.retry)
                return rig.phases.all.last?.phase == .serving
            }
            #expect(try await rig.decrypt(ciphertext) == [7])
        }
    }

    @Test("at once by reseal")
    func atOnce() async throws {
        try await with { (rig: Rig, backend: MemoryBackend, ciphertext: [UInt8]) async throws in
            let asked = backend.calls(.unseal)
            await #expect(throws: KeyringError.self) { try await rig.reseal() }
            #expect(backend.calls(.unseal) == asked + 1)
            backend.set(.works)
            let report = try await rig.reseal()
            #expect(report.isComplete)
            #expect(try await rig.decrypt(ciphertext) == [7])
        }
    }

    @Test("local seals that could not be made are tried again as seldom")
    func localSeals() async throws {
        try await Rig.withClosedNode { (rig: Rig, node: NodeBackend) async throws in
            func cycle(_ times: Int) async {
                for _ in 0..<times { await rig.clockwork.end(.maintenance(1)) }
                await rig.clockwork.reached(.maintenance(1))
            }
            await rig.phases.reached(.serving)
            await cycle(5)
            let seals = node.calls(.seal)
            #expect(try rig.storedLocally().isEmpty || seals > 0)
            await cycle(3)
            #expect(node.calls(.seal) == seals)
            node.close([])
            rig.clockwork.advance(.seconds(86401))
            await cycle(2)
            let own = rig.service.report().keks.flatMap(\.seals).first { $0.isLocal }
            #expect(own?.state == .verified)
        }
    }
}
