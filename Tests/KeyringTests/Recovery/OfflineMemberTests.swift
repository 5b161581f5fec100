import TestSupport
import Testing

@testable import Keyring

@Suite("a backend that opens nothing", .timeLimit(.minutes(5)))
struct OfflineMemberTests {
    private func create(
        _ directory: String, _ members: [SealingChain.Member], minimumSeals: Int? = nil
    ) async throws(KeyringError) -> KeyringCreation.Created {
        try await KeyringCreation.run(
            directory: directory + "/keyring", name: "prod", chain: SealingChain(members, log: .none),
            minimumSeals: minimumSeals, generateMissingKeys: false, log: .none)
    }

    private func failure(
        _ directory: String, _ members: [SealingChain.Member], minimumSeals: Int? = nil
    ) async -> KeyringError? {
        do throws(KeyringError) {
            _ = try await create(directory, members, minimumSeals: minimumSeals)
            return nil
        } catch {
            return error
        }
    }

    @Test("seals at init, and its seal stays unverified, in init's answer and in service; it is never asked to open")
    func initAndServe() async throws {
        try await TemporaryDirectory.with { directory in
            let hsm = try MemoryBackend("hsm")
            let offline = try OfflineBackend()
            let members = [SealingChain.Member(offline), SealingChain.Member(hsm)]
            let created = try await create(directory, members)
            #expect(created.seals.map(\.state) == [.unverified, .verified])
            #expect(created.seals.map(\.recipientID) == [offline.key.recipient.id, hsm.recipient.id])
            try await Rig.with(directory + "/keyring", members) { rig in
                await rig.phases.reached(.serving)
                await rig.clockwork.reached(.maintenance(0))
                await rig.clockwork.reached(.maintenance(1))
                let report = rig.service.report()
                let seals = try #require(report.keks.first).seals
                #expect(
                    Set(seals.map { "\($0.backend ?? ""): \($0.state)" }) == ["recovery: unverified", "hsm: verified"])
                #expect(report.warnings.isEmpty)
                #expect(try rig.backend("recovery").state == .ok)
            }
            #expect(offline.key.calls(.unseal) == 0)
        }
    }

    @Test("does not count for minimumSeals, nor is it enough alone")
    func counting() async throws {
        try await TemporaryDirectory.with { directory in
            let hsm = try MemoryBackend("hsm")
            let offline = try OfflineBackend()
            let both = [SealingChain.Member(hsm), SealingChain.Member(offline)]
            let alone = await failure(directory, [SealingChain.Member(offline)])
            #expect(alone?.code == .tooFewSeals && alone?.message == "no backend opens what it seals")
            #expect(
                await failure(directory, both, minimumSeals: 2)?.message
                    == "1 of 2 backends sealed the KEK, 2 have to")
            // By default all have to have sealed, it as well.
            offline.key.set(.fails(.sample(.operatorMustAct)), .recipients)
            let missing = await failure(directory, both)
            #expect(missing?.message.hasPrefix("1 of 2 backends sealed the KEK, 2 have to: recovery: ") == true)
            #expect(missing?.hint == "hint for operatorMustAct")
            let created = try await create(directory, both, minimumSeals: 1)
            #expect(created.seals.map(\.state) == [.verified, .missing])
        }
    }

    @Test("gets its missing seal while the keyring serves; until then a warning says that it is missing")
    func healing() async throws {
        try await TemporaryDirectory.with { directory in
            let hsm = try MemoryBackend("hsm")
            let offline = try OfflineBackend()
            offline.key.set(.fails(.sample(.operatorMustAct)))
            _ = try await create(directory, [.init(hsm), SealingChain.Member(offline)], minimumSeals: 1)
            try await Rig.with(directory + "/keyring", [.init(hsm), SealingChain.Member(offline)]) { rig in
                await rig.phases.reached(.serving)
                await rig.clockwork.reached(.maintenance(1))
                let warnings = rig.service.report().warnings
                #expect(warnings == ["the active KEK is not sealed to recovery: no recovery with its key yet"])
                offline.key.set(.works)
                await rig.clockwork.end(.maintenance(1))
                await rig.clockwork.reached(.maintenance(1))
                let seals = try #require(rig.service.report().keks.first).seals
                #expect(seals.filter { $0.backend == "recovery" }.map(\.state) == [.unverified])
                #expect(rig.service.report().warnings.isEmpty)
            }
        }
    }
}
