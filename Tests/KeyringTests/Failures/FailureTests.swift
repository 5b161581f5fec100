import Crypto
import TestSupport
import Testing

@testable import Keyring

/// The table of docs/failures.md for every combination of three backends: at a start, in service, at `init` and at
/// `reseal`. Nothing hangs, no KEK is lost, and no backend is asked more often than its breaker allows.
@Suite("What fails when", .serialized, .timeLimit(.minutes(10))) struct FailureTests {
    private let kek: KEK
    private let secret: [UInt8]

    init() throws {
        kek = try Sample.kek(1)
        secret = try Rig.ciphertext([7], kek)
    }

    /// A keyring that all of them have sealed, in the folder that `body` gets.
    private func keyring(_ backends: Backends, _ body: (_ path: String) async throws -> Void) async throws {
        try await TemporaryDirectory.with { directory in
            try await Rig.write(directory + "/keyring", [kek], to: backends.memory)
            try await body(directory + "/keyring")
            backends.mend()
        }
    }

    /// After all of that the KEK is still there for a plugin whose backends are well.
    private func expectNothingLost(_ path: String, _ backends: Backends) async throws {
        let well = try Backends(again: backends)
        try await Rig.with(path, well.memory.map { .init($0) }) { (rig: Rig) async throws in
            await rig.phases.reached(.serving)
            #expect(try await rig.decrypt(secret) == [7])
            #expect(try rig.kek(kek).openedBy == "b1")
        }
        let record = try KeyringStore.open(path, readOnly: true).load().record(of: kek.id)?.record
        #expect(record?.liveSeals.count == 3)
    }

    @Test("at a start", arguments: Condition.combinations)
    func start(_ conditions: [Condition]) async throws {
        let backends = try Backends(conditions)
        try await keyring(backends) { (path: String) async throws in
            backends.apply()
            let opener = conditions.firstIndex(of: .up)
            try await Rig.with(path, backends.members) { (rig: Rig) async throws in
                guard let opener else { return try await expectWaiting(rig, backends) }
                await rig.phases.reached(.serving)
                #expect(try rig.kek(kek).openedBy == "b\(opener + 1)")
                try await expectServing(rig)
                // Those before it were asked once, those after it not at all to get there.
                for (index, backend) in backends.memory.enumerated().prefix(opener) {
                    #expect(backend.calls(.unseal) >= 1, "b\(index + 1)")
                }
            }
            try await expectNothingLost(path, backends)
        }
    }

    private func expectServing(_ rig: Rig) async throws {
        #expect(rig.service.unreadiness() == nil)
        #expect(throws: Never.self) { try rig.service.status() }
        #expect(try await rig.decrypt(secret) == [7])
        #expect(try await rig.decrypt(rig.encrypt([1])) == [1])
        #expect(rig.service.report().state.phase == .serving)
    }

    private func expectWaiting(_ rig: Rig, _ backends: Backends) async throws {
        let phase = backends.mayMend ? KeyringState.Phase.waiting : .blocked
        let code = backends.mayMend ? ServiceError.Code.unavailable : .failedPrecondition
        let state = await rig.phases.reached(phase)
        for backend in backends.memory { #expect(state.reason?.contains("\(backend.name): ") == true) }
        #expect(rig.service.unreadiness()?.code == code)
        #expect(await serviceError { _ = try rig.service.status() }?.code == code)
        #expect(await serviceError { _ = try rig.encrypt([1]) }?.code == code)
        #expect(await serviceError { _ = try await rig.decrypt(secret) }?.code == code)
        // A minute of attempts and of clients.
        for backend in backends.memory { backend.time { [clockwork = rig.clockwork] in clockwork.now } }
        try await rig.clockwork.pass(.seconds(60), in: [.retry]) { () async throws in
            #expect(await serviceError { _ = try await rig.decrypt(secret) }?.code == code)
        }
        for (backend, condition) in zip(backends.memory, backends.conditions) {
            // 0.75, 1.5, 3 s, then at most each 3.75 s. One that hangs is never asked a second time while it does, and a
            // seal that was refused for good is not opened again.
            let limit = [.down, .wrongCredentials].contains(condition) ? 19 : 0
            #expect(backend.times.count <= limit, "\(backend.name), \(condition)")
        }
        // A lie stays refused until its record or the device is another, or its time is over; the others open it as soon as they are back.
        guard backends.conditions.contains(where: { $0 != .lying }) else { return }
        backends.mend()
        try await eventually("it serves", within: .seconds(60)) {
            rig.clockwork.endIfReached(.retry)
            return rig.phases.all.last?.phase == .serving
        }
        try await expectServing(rig)
    }

    @Test("in service", arguments: Condition.combinations)
    func service(_ conditions: [Condition]) async throws {
        let backends = try Backends(conditions)
        try await keyring(backends) { (path: String) async throws in
            try await Rig.with(path, backends.members) { (rig: Rig) async throws in
                let pauses = (0..<3).map { Pacing.Pause.maintenance($0) }
                await rig.phases.reached(.serving)
                for pause in pauses { await rig.clockwork.reached(pause) }
                #expect(rig.service.report().backends.allSatisfy { $0.state == .ok })
                backends.apply()
                for backend in backends.memory { backend.time { [clockwork = rig.clockwork] in clockwork.now } }
                let keyID = try rig.service.status().keyID
                // Their probes and the day's verification fall into it; and nothing of it is seen by clients.
                rig.clockwork.advance(.seconds(86401))
                try await rig.clockwork.pass(.seconds(60), in: pauses) { () async throws in try await expectServing(rig)
                }
                let asked = backends.memory.map(\.times.count)
                for _ in 0..<100 { #expect(try await rig.decrypt(rig.encrypt([1])) == [1]) }
                #expect(backends.memory.map(\.times.count) == asked, "a request asked a backend")
                #expect(try rig.service.status().keyID == keyID)
                for (index, condition) in conditions.enumerated() {
                    try expectShown(condition, rig, "b\(index + 1)", backends.memory[index])
                }
                backends.mend()
                try await eventually("all have recovered", within: .seconds(60)) {
                    try await rig.clockwork.pass(.seconds(60), in: pauses) {}
                    return rig.service.report().backends.allSatisfy { $0.state == .ok }
                }
            }
            try await expectNothingLost(path, backends)
        }
    }

    private func expectShown(_ condition: Condition, _ rig: Rig, _ name: String, _ backend: MemoryBackend) throws {
        let report = try rig.backend(name)
        let seal = try #require(try rig.kek(kek).seals.first { $0.backend == name })
        switch condition {
        case .up:
            #expect(report.state == .ok && seal.state == .verified && seal.problem == nil)
        case .lying:
            // It answers, and its seal is what is wrong.
            #expect(report.state == .ok && seal.state == .unverified)
            #expect(seal.problem?.contains("opens to something else") == true)
        case .down, .slow, .wrongCredentials:
            #expect(report.state == .failing && report.lastError != nil && report.lastErrorHint != nil)
            #expect(report.nextTry != nil || report.isBeingTried)
            #expect(backend.times.count <= 20, "\(name): \(backend.times.count)")
        }
    }

    @Test("at init", arguments: Condition.combinations)
    func creation(_ conditions: [Condition]) async throws {
        for minimum in [nil, 1, 2, 3] {
            let backends = try Backends(conditions)
            backends.apply()
            try await TemporaryDirectory.with { (directory: String) async throws in
                let path = directory + "/keyring"
                let ups = backends.count(.up)
                let isMade = ups >= minimum ?? 3
                do throws(KeyringError) {
                    let created = try await KeyringCreation.run(
                        directory: path, name: "prod", chain: SealingChain(backends.members, log: .none),
                        minimumSeals: minimum, generateMissingKeys: false, log: .none)
                    #expect(isMade)
                    #expect(created.seals.count { $0.state == .verified } == ups)
                    #expect(created.seals.count { $0.state == .missing } == 3 - ups)
                } catch {
                    #expect(!isMade && error.code == .tooFewSeals, "\(error)")
                    for (backend, condition) in zip(backends.memory, conditions) where condition != .up {
                        #expect(error.message.contains("\(backend.name): "), "\(error)")
                    }
                }
                backends.mend()
                let well = try Backends(again: backends)
                if !isMade {
                    // Nothing is left that the next init stumbles over.
                    _ = try await KeyringCreation.run(
                        directory: path, name: "prod", chain: SealingChain(well.memory.map { .init($0) }, log: .none),
                        minimumSeals: nil, generateMissingKeys: false, log: .none)
                }
                try await Rig.with(path, well.memory.map { .init($0) }) { (rig: Rig) async throws in
                    await rig.phases.reached(.serving)
                    // What is missing is made.
                    try await eventually("all seals are there", within: .seconds(60)) {
                        let active = rig.service.report().keks.first { $0.role == .active }
                        return active?.seals.map(\.state) == [.verified, .verified, .verified]
                    }
                }
            }
        }
    }

    @Test("at reseal, by a running plugin", arguments: Condition.combinations)
    func reseal(_ conditions: [Condition]) async throws {
        let backends = try Backends(conditions)
        try await keyring(backends) { (path: String) async throws in
            try await Rig.with(path, backends.members) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                for member in 0..<3 { await rig.clockwork.reached(.maintenance(member)) }
                backends.apply()
                let keyID = try rig.service.status().keyID
                let report = try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
                expect(report, conditions)
                #expect(try rig.service.status().keyID == keyID)
                try await expectServing(rig)
            }
            try await expectNothingLost(path, backends)
        }
    }

    @Test("at reseal, while no plugin runs", arguments: Condition.combinations)
    func resealOfFiles(_ conditions: [Condition]) async throws {
        let backends = try Backends(conditions)
        try await keyring(backends) { (path: String) async throws in
            backends.apply()
            let rig = try await Rig.opened(path, backends.members)
            do throws(KeyringError) {
                let report = try await rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
                #expect(conditions.contains(.up))
                expect(report, conditions)
            } catch {
                #expect(!conditions.contains(.up) && error.code == .notOpen, "\(error)")
            }
            await rig.stop()
            try await expectNothingLost(path, backends)
        }
    }

    private func expect(_ report: ResealReport, _ conditions: [Condition]) {
        #expect(report.isComplete == conditions.allSatisfy { $0 == .up })
        for (index, condition) in conditions.enumerated() {
            let rows = report.rows.filter { $0.backend == "b\(index + 1)" }
            #expect(rows.map(\.outcome) == [condition == .up ? .kept : .failed], "\(rows)")
            #expect(rows.first?.isVerified == (condition == .up))
        }
    }
}
