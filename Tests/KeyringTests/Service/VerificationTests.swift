import Crypto
import TestSupport
import Testing

@testable import Keyring

/// The seals of every KEK are opened again within a day, a few at a time.
@Suite(.timeLimit(.minutes(5))) struct VerificationTests {
    private let keks: [KEK]
    private let (first, second): (MemoryBackend, MemoryBackend)

    init() throws {
        keks = try [1, 33, 65, 97].map { try Sample.kek($0) }
        (first, second) = (try MemoryBackend("first", key: 1), try MemoryBackend("second", key: 2))
    }

    /// Every KEK is open, by the first backend.
    private func with(
        change: (inout Pacing) -> Void = { _ in }, _ body: (Rig) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            try await Rig.write(path, keks, to: [first, second])
            try await Rig.with(path, [.init(first), .init(second)], change: change) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                try await eventually("all are open", within: .seconds(20)) {
                    rig.service.report().keks.allSatisfy(\.isOpen)
                }
                await rig.clockwork.reached(.maintenance(1))
                try await body(rig)
            }
        }
    }

    private func verified(_ rig: Rig, by backend: String) -> Int {
        rig.service.report().keks.flatMap(\.seals).count { $0.verifiedBy == backend && $0.state == .verified }
    }

    private func cycle(_ rig: Rig) async {
        await rig.clockwork.end(.maintenance(1))
        await rig.clockwork.reached(.maintenance(1))
    }

    @Test("those of other KEKs too, one a cycle, and status says when and by what")
    func everyKEK() async throws {
        try await with { (rig: Rig) async throws in
            for _ in 0..<3 {
                let before = second.calls(.unseal)
                await cycle(rig)
                #expect(second.calls(.unseal) <= before + 1)
            }
            #expect(verified(rig, by: "second") == 4)
            #expect(verified(rig, by: "first") == 4)
            #expect(second.mostRunning == 1)
            let asked = second.calls(.unseal)
            await cycle(rig)
            #expect(second.calls(.unseal) == asked)
            rig.clockwork.advance(.seconds(3600))
            let seal = try #require(try rig.kek(keks[0]).seals.first { $0.backend == "second" })
            #expect(seal.verifiedBy == "second")
            #expect(try #require(seal.age) >= .seconds(3600))
        }
    }

    @Test("the first time is spread over the day")
    func spread() async throws {
        // In the middle of each range.
        try await with(change: { $0.random = { ($0.lowerBound + $0.upperBound) / 2 } }) { (rig: Rig) async throws in
            await cycle(rig)
            #expect(verified(rig, by: "second") == 1)
            rig.clockwork.advance(.seconds(43200))
            for _ in 0..<3 { await cycle(rig) }
            #expect(verified(rig, by: "second") == 4)
        }
    }

    @Test("again within a day, and what does not open any more is said")
    func again() async throws {
        try await with { (rig: Rig) async throws in
            for _ in 0..<4 { await cycle(rig) }
            second.set(.lies, .unseal)
            rig.clockwork.advance(.seconds(86401))
            for _ in 0..<4 { await cycle(rig) }
            for kek in keks {
                let seal = try #require(try rig.kek(kek).seals.first { $0.backend == "second" })
                #expect(seal.state == .unverified && seal.verifiedBy == nil)
                #expect(seal.problem?.contains("something else") == true)
            }
            // Not again before another day.
            let asked = second.calls(.unseal)
            for _ in 0..<3 { await cycle(rig) }
            #expect(second.calls(.unseal) == asked)
        }
    }

    @Test("a backend that goes away in the middle is left alone until it is back")
    func goesAway() async throws {
        try await with { (rig: Rig) async throws in
            second.set(.fails(.sample(.reopen)))
            await cycle(rig)
            let seals = verified(rig, by: "second")
            second.set(.works)
            for _ in 0..<5 { await cycle(rig) }
            #expect(seals < 4)
            #expect(verified(rig, by: "second") == 4)
        }
    }
}
