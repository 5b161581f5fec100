import BackendContract
import Keyring
import TestSupport
import Testing

@testable import VaultBackend

/// The suites of this module, one test after the other: each starts a server of its own.
@Suite(.serialized) enum VaultBackendSuites {}

extension VaultBackendSuites {
    @Suite("a Vault backend")
    struct ContractTests {
        @Test("does what every backend has to do")
        func contract() async throws {
            try await TestVault.with { vault in
                let foreign = try KeyDescription(mount: vault.mount, key: "another", version: 1, created: 1).recipient()
                let checks = await BackendContract.run(try await vault.backend(), foreign: foreign)
                #expect(checks.count == 16)
                for check in checks { #expect(check.violation == nil, "\(check.requirement)") }
            }
        }
    }
}
