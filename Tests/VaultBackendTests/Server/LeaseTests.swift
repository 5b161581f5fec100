import Keyring
import TestSupport
import Testing

@testable import VaultBackend

extension VaultBackendSuites {
    @Suite("a token's life")
    struct LeaseTests {
        @Test("it is renewed before it expires, with no call to ask for it")
        func renewal() async throws {
            try await TestVault.with { vault in
                let backend = try vault.backend(vault.configuration(try await vault.appRole("\"token_ttl\":\"3s\"")))
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                try await eventually("two renewals", within: .seconds(60)) { vault.log.count("was renewed") >= 2 }
                #expect(try await backend.open(seal).id == kek.id)
                #expect(vault.log.count("logged in") == 1)
                await backend.end()
            }
        }

        @Test(
            "where it can be renewed no further, or not at all, this node logs in anew beside the calls",
            arguments: [
                "\"token_ttl\":\"3s\",\"token_max_ttl\":\"4s\"", "\"token_ttl\":\"2s\",\"token_type\":\"batch\"",
            ])
        func again(_ options: String) async throws {
            try await TestVault.with { vault in
                let backend = try vault.backend(vault.configuration(try await vault.appRole(options)))
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                try await eventually("three logins", within: .seconds(60)) { vault.log.count("logged in") >= 3 }
                #expect(try await backend.open(seal).id == kek.id)
                await backend.end()
            }
        }

        @Test("revoked in service, it costs a login and no call")
        func revoked() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try vault.backend(vault.configuration(try await vault.appRole()))
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                for _ in 0..<3 {
                    try vault.played.control("revoke")
                    #expect(try await backend.open(seal).id == kek.id)
                    try vault.played.control("revoke")
                    try await backend.probe(until: soon)
                    try vault.played.control("revoke")
                    _ = try await backend.seal(kek)
                }
                #expect(vault.log.count("logged in") == 10)
                await backend.end()
            }
        }

        @Test("expired while Vault was away, it costs a login and no call")
        func expired() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try vault.backend(vault.configuration(try await vault.appRole("\"token_ttl\":\"1s\"")))
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                try vault.played.control("seal", "{\"sealed\":true}")
                try await eventually("a renewal that fails", within: .seconds(30)) {
                    vault.log.count("could not be renewed") > 0
                }
                let error = await sealingError { _ = try await backend.open(seal) }
                #expect(error?.errorClass == .reopen, "\(error?.description ?? "none")")
                // No more attempts once there is nothing left to renew.
                try await eventually("the end of the upkeep", within: .seconds(30)) {
                    _ = try vault.played.takeSeen()
                    try await Task.sleep(for: .seconds(1))
                    return try vault.played.takeSeen().isEmpty
                }
                try vault.played.control("seal", "{\"sealed\":false}")
                #expect(try await backend.open(seal).id == kek.id)
                await backend.end()
            }
        }

        @Test("good for a few calls only, it is replaced before they are used up")
        func uses() async throws {
            try await TestVault.with { vault in
                let backend = try vault.backend(
                    vault.configuration(try await vault.appRole("\"token_ttl\":\"1h\",\"token_num_uses\":3")))
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                for _ in 0..<9 { #expect(try await backend.open(seal).id == kek.id) }
                // Thirteen calls so far.
                #expect(vault.log.count("logged in") == 5)
                // Together, too: whoever waits for a token has a use of it.
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    for _ in 0..<8 { group.addTask { try await backend.open(seal).id == kek.id } }
                    for try await isOpen in group { #expect(isOpen) }
                }
                #expect(vault.log.count("logged in") <= 8)
                if let standIn = vault.standIn {
                    #expect(try standIn.takeSeen().allSatisfy { $0.status != 403 })
                }
                await backend.end()
            }
        }

        @Test("a token file is read again when it changes, and a token that is no good any more is named")
        func file() async throws {
            try await TestVault.with { vault in
                let first = try await vault.token()
                let file = vault.scope.path("token")
                try Files.write(first, to: file)
                let backend = try vault.backend(vault.configuration(.tokenFile(file)))
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                try await vault.revoke(first)
                let error = await sealingError { _ = try await backend.open(seal) }
                #expect(error?.errorClass == .operatorMustAct)
                #expect(error?.hint?.contains(file) == true, "\(error?.description ?? "none")")
                try Files.write(try await vault.token(), to: file)
                #expect(try await backend.open(seal).id == kek.id)
                // An agent that does not replace its file at once: the old token does meanwhile.
                for half in ["", "s.half-a-tok"] {
                    try Files.write(half, to: file)
                    #expect(try await backend.open(seal).id == kek.id)
                }
                // An agent replaces the file by another one while the old token is still good.
                let third = try await vault.token()
                try Files.write(third, to: vault.scope.path("token.new"))
                try Files.move(vault.scope.path("token.new"), to: file)
                #expect(try await backend.open(seal).id == kek.id)
                if let standIn = vault.standIn {
                    #expect(try standIn.takeSeen().last { $0.path.contains("/decrypt/") }?.token == third)
                }
                await backend.end()
            }
        }

        @Test(
            "a call does not wait for a new token file's look-up while the token before it is good; that is said once")
        func slowLookup() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try await vault.backend()
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                try vault.played.fault("lookup-self", "\"kind\":\"hang\"")
                try Files.write(try await vault.token(), to: vault.scope.path("token"))
                for _ in 0..<5 {
                    #expect(try await backend.unseal(seal, until: .now + .seconds(8)).id == kek.id)
                }
                #expect(vault.log.count("the token before goes on") == 1)
                try vault.played.mend()
                await backend.end()
            }
        }

        @Test("a token from a file is renewed, too")
        func fileRenewal() async throws {
            try await TestVault.with { vault in
                let file = try await vault.tokenFile("token", "\"ttl\":\"3s\"")
                let backend = try vault.backend(vault.configuration(.tokenFile(file)))
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                try await eventually("two renewals", within: .seconds(60)) { vault.log.count("was renewed") >= 2 }
                #expect(try await backend.open(seal).id == kek.id)
                await backend.end()
            }
        }

        @Test("what the policy denies is said as such, and does not make this node log in again and again")
        func denied() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try vault.backend(vault.configuration(try await vault.appRole()))
                let seal = try await backend.seal(try KEK.generate())
                let full = try TestVault.documentedPolicy()
                let narrow = full.split(separator: "\n").filter { !$0.contains("/decrypt/") }.joined(separator: "\n")
                try await vault.setPolicy(narrow)
                for _ in 0..<5 {
                    let error = await sealingError { _ = try await backend.open(seal) }
                    #expect(error?.errorClass == .operatorMustAct && error?.message.contains("403") == true)
                    #expect(error?.hint?.contains("policy") == true)
                }
                #expect(vault.log.count("logged in") == 1)
                // Where a token may not even look itself up, one new login shows that it is not the token's fault.
                try await vault.asRoot(.post, "sys/policies/acl/default", "{\"policy\":\"\"}")
                for _ in 0..<5 {
                    #expect(await sealingError { _ = try await backend.open(seal) }?.message.contains("403") == true)
                }
                #expect(vault.log.count("logged in") == 2)
                await backend.end()
            }
        }
    }
}
