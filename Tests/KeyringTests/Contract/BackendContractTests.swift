import BackendContract
import Crypto
import Keyring
import Testing

/// The contract over the backend in memory, and that it finds what is wrong with bad ones.
@Suite(.timeLimit(.minutes(5))) struct BackendContractTests {
    private func violations(_ backend: MemoryBackend) async throws -> [String] {
        let foreign = try MemoryBackend("other", key: 99).recipient
        let checks = await BackendContract.run(backend, foreign: foreign)
        return checks.compactMap { check in check.violation.map { "\(check.requirement): \($0)" } }
    }

    @Test func theBackendInMemoryKeepsIt() async throws {
        #expect(try await violations(MemoryBackend("memory")) == [])
        #expect(try await violations(MemoryBackend("memory", isAuthenticating: false, hasKey: false)) == [])
    }

    @Test func aLyingBackendBreaksIt() async throws {
        let backend = try MemoryBackend("memory")
        backend.set(.lies, .unseal)
        let found = try await violations(backend)
        #expect(found.contains { $0.hasPrefix("what it seals, it opens") })
        #expect(found.contains { $0.hasPrefix("a seal that names another KEK") })
        #expect(found.contains { $0.hasPrefix("no altered") })
        #expect(found.contains { $0.hasPrefix("many calls at once") })
    }

    @Test func aFailingBackendBreaksIt() async throws {
        let backend = try MemoryBackend("memory")
        backend.set(.fails(.sample(.reopen)), .unseal, .probe)
        let found = try await violations(backend)
        #expect(found.contains { $0.hasPrefix("a probe says") })
        #expect(found.contains { $0.hasPrefix("no altered") })
        backend.set(.fails(.sample(.reopen)), .seal)
        #expect(try await violations(backend).map { $0.prefix(8) } == ["it seals"])
    }
}
