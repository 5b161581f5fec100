import Keyring
import TestSupport
import Testing

@testable import VaultBackend

extension VaultBackendSuites {
    @Suite("what doctor says about Vault")
    struct DiagnosisTests {
        private func findings(_ vault: TestVault, _ login: VaultConfiguration.Login) async throws -> [Finding] {
            let backend = try vault.backend(vault.configuration(login))
            let findings = await backend.diagnose(until: soon)
            await backend.end()
            return findings
        }

        @Test("nothing is wrong with the policy of docs/vault.md")
        func good() async throws {
            try await TestVault.with { vault in
                let findings = try await findings(vault, try await vault.appRole())
                #expect(findings.allSatisfy { $0.severity == .ok }, "\(findings)")
                for subject in ["Vault", "login", "token", "policy", "key \(vault.mount)/keys/\(vault.key)"] {
                    #expect(findings.contains { $0.subject == subject }, "\(subject)")
                }
            }
        }

        @Test("rights that are missing, and rights that are too many")
        func rights() async throws {
            try await TestVault.with { vault in
                let login = try await vault.appRole()
                try await vault.setPolicy(
                    """
                    path "transit/keys/*" { capabilities = ["read", "update", "delete"] }
                    path "transit/encrypt/*" { capabilities = ["update"] }
                    """)
                let findings = try await findings(vault, login)
                func has(_ severity: Finding.Severity, _ text: String) -> Bool {
                    findings.contains { $0.severity == severity && $0.subject == "policy" && $0.detail.contains(text) }
                }
                #expect(has(.error, "does not allow \(vault.mount)/decrypt/"))
                #expect(has(.warning, "does not allow \(vault.mount)/rewrap/"))
                #expect(!has(.error, "/encrypt/"))
                #expect(has(.warning, "allows \(vault.mount)/keys/\(vault.key)/config"))
                #expect(has(.warning, "allows to delete"))
                for call in ["trim", "import", "soft-delete"] {
                    #expect(has(.warning, "allows \(vault.mount)/keys/\(vault.key)/\(call)"), "\(call)")
                }
                #expect(!has(.warning, "to create by") && !has(.warning, "restore") && !has(.warning, "sys/"))
                try await vault.setPolicy(
                    """
                    path "transit/*" { capabilities = ["create", "read", "update"] }
                    path "sys/mounts/*" { capabilities = ["delete"] }
                    path "sys/remount" { capabilities = ["update"] }
                    """)
                let all = try await self.findings(vault, login)
                for text in [
                    "to create by \(vault.mount)/encrypt/", "\(vault.mount)/restore,", "\(vault.mount)/restore/",
                    "/backup/", "/export/", "sys/mounts/", "sys/remount",
                ] {
                    #expect(
                        all.contains { $0.severity == .warning && $0.subject == "policy" && $0.detail.contains(text) },
                        "\(text)")
                }
                let root = try await self.findings(vault, .tokenFile(vault.scope.path("root-token")))
                #expect(root.contains { $0.severity == .warning && $0.detail.contains("root token") })
            }
        }

        @Test("a key that may be deleted, a token that cannot be renewed")
        func warnings() async throws {
            try await TestVault.with { vault in
                try await vault.asRoot(.post, "\(vault.mount)/keys/\(vault.key)/config", "{\"deletion_allowed\":true}")
                let file = try await vault.tokenFile("token", "\"ttl\":\"1h\",\"renewable\":false")
                let findings = try await findings(vault, .tokenFile(file))
                #expect(findings.contains { $0.severity == .warning && $0.detail.contains("may be deleted") })
                #expect(findings.contains { $0.severity == .warning && $0.detail.contains("cannot be renewed") })
                #expect(!findings.contains { $0.severity == .error })
            }
        }

        @Test("a file that is missing, a Vault that is sealed, one that is away")
        func errors() async throws {
            try await TestVault.with(.standIn) { vault in
                let missing = try await findings(vault, .tokenFile(vault.scope.path("none")))
                #expect(missing.contains { $0.severity == .error && $0.subject.contains("credential") })
                let login = try await vault.appRole()
                try vault.played.control("seal", "{\"sealed\":true}")
                let sealed = try await findings(vault, login)
                #expect(sealed.last?.severity == .error && sealed.last?.hint?.contains("unseal Vault") == true)
                let process = try vault.played.process
                process.send(9)
                _ = try await process.waitForExit(within: .seconds(20))
                let away = try await findings(vault, login)
                #expect(away.last?.severity == .error && away.last?.subject == "Vault")
            }
        }
    }
}
