import Crypto
import TestSupport
import Testing

@testable import Keyring

/// Whom the background seals to: only to keys that an operator's command has made known.
@Suite(.timeLimit(.minutes(5))) struct PinningTests {
    private struct Setting {
        let rig: Rig
        let kek: KEK
        /// The device that was there, and the one that somebody puts in its place.
        let own: MemoryBackend
        let foreign: MemoryBackend
        let device: ReplaceableBackend
        let path: String

        /// Lets the second backend's maintenance go round.
        func goRound(_ times: Int = 3) async {
            for _ in 0..<times { await rig.clockwork.end(.maintenance(1)) }
            await rig.clockwork.reached(.maintenance(1))
        }

        var problem: String? {
            get throws { try rig.kek(kek).seals.first { $0.state == .missing }?.problem }
        }

        var recipients: [String] {
            get throws {
                let stored = try KeyringStore.open(path, readOnly: true).load()
                return try #require(stored.record(of: kek.id)).record.liveSeals.map(\.recipient.id)
            }
        }

        func pins() throws -> Pins? {
            let pins = try KeyringStore.open(path, readOnly: true).load().pins
            #expect(pins?.isAuthentic(under: kek) ?? true)
            return pins
        }
    }

    /// Two backends, of which the second one can be exchanged.
    private func with(
        sealedToSecond isSealed: Bool, pins: (_ first: Pins.Entry, _ second: Pins.Entry) -> [Pins.Entry],
        before: (ReplaceableBackend) throws -> Void = { _ in }, _ body: (Setting) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let first = try MemoryBackend("first", key: 1)
            let own = try MemoryBackend("second", key: 2)
            let foreign = try MemoryBackend("second", key: 66)
            let device = ReplaceableBackend(own, foreign)
            let kek = try Sample.kek(1)
            let path = directory + "/keyring"
            try await Rig.write(
                path, [kek], to: isSealed ? [first, own] : [first],
                pins: pins(Pins.Entry("first", ["memory:key1"]), Pins.Entry("second", ["memory:key2"])))
            try before(device)
            let member = SealingChain.Member(device)
            try await Rig.with(path, [.init(first), member]) { rig in
                await rig.phases.reached(.serving)
                await rig.clockwork.reached(.maintenance(1))
                try await body(
                    Setting(rig: rig, kek: kek, own: own, foreign: foreign, device: device, path: path))
            }
        }
    }

    @Test("a device that comes in the place of a sealed one gets nothing, however long it waits")
    func exchanged() async throws {
        try await with(sealedToSecond: true, pins: { [$0, $1] }) { (setting: Setting) async throws in
            setting.device.replace(by: 1)
            await setting.goRound()
            #expect(setting.foreign.calls(.probe) > 0)
            #expect(setting.foreign.calls(.seal) == 0)
            let problem = try #require(try setting.problem)
            #expect(problem.contains("another one than memory:key2"))
            #expect(problem.contains("trousseau reseal --backend second"))
            #expect(try setting.recipients == ["memory:key1", "memory:key2"])
            // It says so once, not with every round.
            #expect(setting.rig.logs.lines.count { $0.contains("a missing seal was not made") } == 1)
            // Nor does a reseal that does not name it.
            let report = try await setting.rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            let row = try #require(report.rows.first { $0.backend == "second" })
            #expect(row.outcome == .failed && row.hint?.contains("--backend second") == true)
            #expect(setting.foreign.calls(.seal) == 0)
            // The own one comes back.
            setting.device.replace(by: 0)
            await setting.goRound()
            #expect(try setting.problem == nil)
        }
    }

    @Test("an operator who says that he has replaced it gets the seal, and the new key is the known one")
    func replaced() async throws {
        try await with(sealedToSecond: true, pins: { [$0, $1] }) { (setting: Setting) async throws in
            setting.device.replace(by: 1)
            await setting.goRound(1)
            let report = try await setting.rig.service.reseal(
                ResealOptions(backend: "second"), until: .now + .seconds(60))
            #expect(report.isComplete)
            #expect(try setting.recipients == ["memory:key1", "memory:key2", "memory:key66"])
            #expect(try setting.pins()?.recipients(of: "second") == ["memory:key66"])
            #expect(try setting.pins()?.recipients(of: "first") == ["memory:key1"])
        }
    }

    @Test("a backend that init did not reach has its seal made, but only to the key that it told first")
    func firstKey() async throws {
        try await with(
            sealedToSecond: false, pins: { first, _ in [first, Pins.Entry("second", [])] },
            before: { $0.replace(by: 0) }
        ) { (setting: Setting) async throws in
            try await eventually("healed", within: .seconds(20)) {
                await setting.goRound(1)
                return try setting.recipients == ["memory:key1", "memory:key2"]
            }
            #expect(try setting.pins()?.recipients(of: "second") == ["memory:key2"])
            setting.device.replace(by: 1)
            await setting.goRound()
            #expect(setting.foreign.calls(.seal) == 0)
            #expect(try setting.problem?.contains("another one than memory:key2") == true)
        }
    }

    @Test("the first key is pinned before anything is sealed to it")
    func pinnedFirst() async throws {
        try await with(
            sealedToSecond: false, pins: { first, _ in [first, Pins.Entry("second", [])] },
            before: { device in
                device.replace(by: 0)
                device.first.set(.fails(.sample(.retry)), .seal)
            }
        ) { (setting: Setting) async throws in
            await setting.goRound()
            #expect(setting.own.calls(.seal) > 0)
            #expect(try setting.pins()?.recipients(of: "second") == ["memory:key2"])
            setting.device.replace(by: 1)
            await setting.goRound(8)
            #expect(setting.foreign.calls(.seal) == 0)
            setting.own.set(.works)
            setting.device.replace(by: 0)
            await setting.goRound()
            #expect(try setting.recipients == ["memory:key1", "memory:key2"])
        }
    }

    @Test("pins from an older copy do not make a first key of a second one")
    func rolledBack() async throws {
        try await with(
            sealedToSecond: true, pins: { first, _ in [first, Pins.Entry("second", [])] },
            before: { $0.replace(by: 1) }
        ) { (setting: Setting) async throws in
            await setting.goRound()
            #expect(setting.foreign.calls(.seal) == 0)
            #expect(try setting.problem?.contains("another one than memory:key2") == true)
        }
    }

    @Test("a backend that is new in the configuration, altered pins, and none: an operator has to reseal")
    func unknown() async throws {
        try await with(sealedToSecond: false, pins: { first, _ in [first] }) { (setting: Setting) async throws in
            await setting.goRound()
            #expect(setting.own.calls(.seal) == 0)
            #expect(try setting.problem == "it is new here: run trousseau reseal, which seals to its key")
            let report = try await setting.rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            #expect(report.isComplete)
            #expect(try setting.recipients == ["memory:key1", "memory:key2"])
            #expect(try setting.pins()?.recipients(of: "second") == ["memory:key2"])
        }
        for altered in [true, false] {
            try await TemporaryDirectory.with { directory in
                let (first, second) = (try MemoryBackend("first", key: 1), try MemoryBackend("second", key: 2))
                let kek = try Sample.kek(1)
                let path = directory + "/keyring"
                try await Rig.write(
                    path, [kek], to: [first],
                    pins: [Pins.Entry("first", ["memory:key1"]), Pins.Entry("second", ["memory:key66"])])
                if altered {
                    let text = try Files.readText(path + "/pins").replacing("memory:key66", with: "memory:key2")
                    try Files.write(text, to: path + "/pins")
                } else {
                    try Files.remove(path + "/pins")
                }
                try await Rig.with(path, [.init(first), .init(second)]) { rig in
                    await rig.phases.reached(.serving)
                    for _ in 0..<2 { await rig.clockwork.end(.maintenance(1)) }
                    await rig.clockwork.reached(.maintenance(1))
                    #expect(second.calls(.seal) == 0)
                    let problem = try rig.kek(kek).seals.last?.problem
                    #expect(problem?.contains("/pins is not there or was altered") == true)
                }
            }
        }
    }

    @Test("a reseal pins what it could not seal to, and the background makes it when the backend is back")
    func resealPromises() async throws {
        try await with(sealedToSecond: false, pins: { first, _ in [first] }) { (setting: Setting) async throws in
            setting.own.set(.fails(.sample(.retry)), .seal)
            let report = try await setting.rig.service.reseal(ResealOptions(), until: .now + .seconds(60))
            #expect(!report.isComplete)
            setting.own.set(.works)
            try await eventually("healed", within: .seconds(20)) {
                await setting.goRound(1)
                return try setting.recipients == ["memory:key1", "memory:key2"]
            }
        }
    }

    @Test("the file has one spelling, and names what fits it")
    func format() async throws {
        let kek = try Sample.kek(1)
        let identity = try Identity(
            kekID: kek.id, keyring: Sample.keyring(), generation: 1, created: 1, voucherFloor: 0)
        let pins = try Pins(
            identity, [Pins.Entry("tpm", []), Pins.Entry("hsm", ["pkcs11:b", "pkcs11:a"])], under: kek)
        let bytes = try PinsFile.encode(pins)
        #expect(try PinsFile.decode(bytes) == pins)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("pin: hsm pkcs11:a,pkcs11:b\npin: tpm -\nmac: "))
        for (from, to) in [
            ("pin: tpm -", "pin: tpm  -"), ("pin: tpm -", "pin: tpm"), ("a,pkcs11:b", "a,pkcs11:a"),
            ("hsm pkcs11:a,pkcs11:b", "hsm pkcs11:b,pkcs11:a"), ("pin: tpm -\n", ""), ("pin: tpm", "pin: a"),
            ("format: 1", "format: 2"), ("pkcs11:a", "pkcs11:A"), ("mac: ", "mac: 00"),
        ] {
            let altered = Array(text.replacing(from, with: to).utf8)
            #expect(altered != bytes)
            let read = try? PinsFile.decode(altered)
            #expect(read?.isAuthentic(under: kek) != true, "\(to)")
        }
        #expect(throws: FormatError.self) { try Pins(identity, [Pins.Entry("a b", [])], under: kek) }
        #expect(throws: FormatError.self) {
            try Pins(identity, [Pins.Entry("a", []), Pins.Entry("a", [])], under: kek)
        }
        #expect(!pins.isAuthentic(under: try Sample.kek(33)))
    }
}
