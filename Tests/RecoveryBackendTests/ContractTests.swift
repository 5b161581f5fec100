import BackendContract
import Keyring
import RecoveryBackend
import TestSupport
import Testing

extension RecoveryBackendSuites {
    @Suite("a recovery backend")
    struct ContractTests {
        @Test("does what every backend has to do", arguments: [RecoveryKeyType.p384, .rsa3072])
        func contract(_ type: RecoveryKeyType) async throws {
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                try await openssl.key(type)
                try await openssl.key(type, "foreign")
                let foreign = try await RecoveryBackend.make(try await openssl.publicKey("foreign")).recipient()
                let backend = try RecoveryBackend.make(try await openssl.publicKey())
                let checks = await BackendContract.run(backend, foreign: foreign)
                #expect(checks.count == 10)
                for check in checks { #expect(check.violation == nil, "\(check.requirement)") }
            }
        }
    }
}
