import Crypto
import TestSupport
import Testing

@testable import Keyring

/// `init`, with backends that behave badly.
@Suite(.timeLimit(.minutes(5))) struct CreationTests {
    private func create(
        _ path: String, _ members: [SealingChain.Member], name: String = "prod", minimumSeals: Int? = nil,
        generate: Bool = false, log: Log = .none
    ) async throws(KeyringError) -> KeyringCreation.Created {
        try await KeyringCreation.run(
            directory: path, name: name, chain: SealingChain(members, log: .none), minimumSeals: minimumSeals,
            generateMissingKeys: generate, log: log)
    }

    private func failure(
        _ path: String, _ members: [SealingChain.Member], name: String = "prod", minimumSeals: Int? = nil
    ) async -> KeyringError? {
        do throws(KeyringError) {
            _ = try await create(path, members, name: name, minimumSeals: minimumSeals)
            return nil
        } catch {
            return error
        }
    }

    @Test func everyBackendThatSealsIsARecipient() async throws {
        try await TemporaryDirectory.with { directory in
            let backends = try (1...3).map { try MemoryBackend("b\($0)", key: UInt8($0)) }
            let members = [
                SealingChain.Member(backends[0]), .init(backends[1], unsealOnly: true), .init(backends[2]),
            ]
            let created = try await create(directory + "/keyring", members)
            #expect(created.seals.map(\.backend) == ["b1", "b3"])
            #expect(created.seals.allSatisfy { $0.state == .verified })
            #expect(backends[0].calls(.unseal) == 1)
            #expect(backends[1].calls(.recipients) == 0)
            #expect(created.keyID.generation == 1)
            let stored = try KeyringStore.open(directory + "/keyring", readOnly: true).load()
            let (roles, record) = try stored.requireActive()
            #expect(roles.active.kekID == created.kekID)
            #expect(record.record.liveSeals.map(\.recipient.id) == ["memory:key1", "memory:key3"])
            #expect(stored.highest == 1)
        }
    }

    @Test func anExistingKeyringIsLeftAloneAndNoBackendAsked() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let backend = try MemoryBackend("hsm")
            let first = try await create(path, [.init(backend)])
            let calls = backend.calls(.recipients)
            let error = await failure(path, [.init(backend)])
            #expect(error?.storeCode == .exists)
            #expect(backend.calls(.recipients) == calls)
            let (roles, _) = try KeyringStore.open(path, readOnly: true).load().requireActive()
            #expect(roles.active.kekID == first.kekID)
        }
    }

    @Test func missingKeysAreMadeOnlyWhenAskedFor() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let backend = try MemoryBackend("hsm", hasKey: false)
            let error = await failure(path, [.init(backend)])
            #expect(error?.code == .tooFewSeals)
            #expect(error?.hint == "run init --generate-keys")
            _ = try await create(path, [.init(backend)], generate: true)
        }
    }

    enum Badness: String, CaseIterable, Sendable {
        case recipientsFail, sealFails, unsealFails, lies, recipientsHang, sealHangs, unsealHangs

        func apply(to backend: MemoryBackend) {
            switch self {
            case .recipientsFail: backend.set(.fails(.sample(.operatorMustAct)), .recipients)
            case .sealFails: backend.set(.fails(.sample(.retry)), .seal)
            case .unsealFails: backend.set(.fails(.sample(.permanent)), .unseal)
            case .lies: backend.set(.lies, .unseal)
            case .recipientsHang: backend.set(.hangs, .recipients)
            case .sealHangs: backend.set(.hangs, .seal)
            case .unsealHangs: backend.set(.hangs, .unseal)
            }
        }
    }

    @Test(arguments: Badness.allCases) func whatFailsIsNamedAndInitCanBeRepeated(badness: Badness) async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let good = try MemoryBackend("good", key: 1)
            let bad = try MemoryBackend("bad", key: 2)
            badness.apply(to: bad)
            let limit = SealingChain.Member(bad, unsealOnly: false, deadline: .milliseconds(100))
            let start = ContinuousClock.now
            let error = await failure(path, [.init(good), limit])
            #expect(ContinuousClock.now - start < .seconds(60))
            #expect(error?.code == .tooFewSeals)
            #expect(error?.message.contains("1 of 2 backends sealed the KEK, 2 have to: bad: ") == true)
            let left = try Files.list(path).filter { $0 != "lock" && $0 != "local" }
            #expect(left.isEmpty)
            // With fewer seals wanted, the good one is enough, and the lack is said.
            let logs = LogRecorder()
            let again = SealingChain.Member(bad, unsealOnly: false, deadline: .milliseconds(100))
            let created = try await create(path, [.init(good), again], minimumSeals: 1, log: logs.log)
            #expect(created.seals.map(\.state) == [.verified, .missing])
            #expect(created.seals.last?.problem?.isEmpty == false)
            #expect(logs.lines.contains { $0.contains("backend=bad") })
            bad.release()
        }
    }

    @Test func oneKeyIsOneSeal() async throws {
        try await TemporaryDirectory.with { directory in
            let twins = [try MemoryBackend("one", key: 1), try MemoryBackend("two", key: 1)]
            let error = await failure(directory + "/keyring", twins.map { .init($0) })
            #expect(error?.message.contains("two: its sealing key is that of backend one") == true)
        }
    }

    @Test func withoutABackendThatSealsThereIsNoKeyring() async throws {
        try await TemporaryDirectory.with { directory in
            let backend = try MemoryBackend("old")
            #expect(await failure(directory + "/keyring", [])?.code == .tooFewSeals)
            let error = await failure(directory + "/keyring", [.init(backend, unsealOnly: true)])
            #expect(error?.message == "no backend seals")
        }
    }

    @Test func aNameThatCannotBeInAKeyIDIsRefused() async throws {
        try await TemporaryDirectory.with { directory in
            let backend = try MemoryBackend("hsm")
            for name in ["", "Prod", "a/b", String(repeating: "a", count: 64)] {
                #expect(await failure(directory + "/keyring", [.init(backend)], name: name)?.code == .name)
            }
            #expect(!Files.exists(directory + "/keyring"))
        }
    }

    @Test func twoInitsDoNotMeet() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let slow = try MemoryBackend("slow")
            slow.set(.waits, .seal)
            let first = Task { try await create(path, [.init(slow)]) }
            await slow.reached(.seal)
            #expect(await failure(path, [.init(try MemoryBackend("other", key: 2))])?.storeCode == .locked)
            slow.release()
            #expect(try await first.value.seals.count == 1)
        }
    }
}
