import BackendContract
import Keyring
import TestSupport
import Testing

@testable import TPMBackend

@Suite("what every backend has to do")
struct ContractTests {
    @Test("a TPM keeps the contract with seals for the shared record")
    func shared() async throws {
        try await TestScope.with { scope in
            let other = try await Node.make(scope, "other").enrolled()
            await other.backend.shutdown(until: patience)
            let checks = await BackendContract.run(try await Node.make(scope).backend(), foreign: other.shared)
            #expect(checks.compactMap { check in check.violation.map { "\(check.requirement): \($0)" } } == [])
            #expect(checks.count == 15)
        }
    }

    @Test("a TPM keeps the contract with seals that stay on the node")
    func local() async throws {
        try await TestScope.with { scope in
            let other = try await Node.make(scope, "other").enrolled()
            await other.backend.shutdown(until: patience)
            let backend = LocalRecipients(backend: try await Node.make(scope).backend())
            let checks = await BackendContract.run(backend, foreign: other.local)
            #expect(checks.compactMap { check in check.violation.map { "\(check.requirement): \($0)" } } == [])
            #expect(checks.count == 15)
        }
    }
}
