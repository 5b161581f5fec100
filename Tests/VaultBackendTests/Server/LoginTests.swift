import Keyring
import TestSupport
import Testing

@testable import VaultBackend

extension VaultBackendSuites {
    @Suite("logging in to Vault")
    struct LoginTests {
        /// A round trip with a login.
        private func roundTrip(_ vault: TestVault, _ login: VaultConfiguration.Login) async throws {
            let backend = try vault.backend(vault.configuration(login))
            let kek = try KEK.generate()
            #expect(try await backend.open(backend.seal(kek)).id == kek.id)
            await backend.end()
        }

        @Test("by AppRole, with a secret ID and without one")
        func appRole() async throws {
            try await TestVault.with { vault in
                let login = try await vault.appRole()
                try await roundTrip(vault, login)
                try await vault.asRoot(
                    .post, "auth/\(vault.mount)/role/node",
                    "{\"bind_secret_id\":false,\"token_bound_cidrs\":[\"127.0.0.0/8\"]}")
                try await roundTrip(
                    vault,
                    .appRole(
                        mount: vault.mount, roleIDFile: vault.scope.path("role-id"), secretIDFile: nil,
                        isWrapped: false))
            }
        }

        @Test("by AppRole with a wrapped secret ID, which opens once and says so afterwards")
        func wrapped() async throws {
            try await TestVault.with { vault in
                let login = try await vault.appRole("\"token_ttl\":\"2s\",\"token_max_ttl\":\"2s\"", isWrapped: true)
                let backend = try vault.backend(vault.configuration(login))
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                // A second login in the same process needs no second wrapping token.
                try await eventually("another login", within: .seconds(30)) { vault.log.count("logged in") > 1 }
                #expect(try await backend.open(seal).id == kek.id)
                await backend.end()

                let restarted = try vault.backend(vault.configuration(login))
                let error = await sealingError { _ = try await restarted.open(seal) }
                #expect(error?.errorClass == .operatorMustAct)
                #expect(error?.hint?.contains("was used") == true, "\(error?.description ?? "none")")
                try Files.write(try await vault.secretID(isWrapped: true), to: vault.scope.path("secret-id"))
                #expect(try await restarted.open(seal).id == kek.id)
                await restarted.end()
            }
        }

        @Test("a wrapping token that wraps something else than a secret ID is not opened")
        func replacedWrapping() async throws {
            try await TestVault.with { vault in
                let login = try await vault.appRole(isWrapped: true)
                let token = try await vault.wrap("auth/token/create")
                try Files.write(token, to: vault.scope.path("secret-id"))
                let backend = try vault.backend(vault.configuration(login))
                let error = await sealingError { try await backend.probe(until: soon) }
                #expect(error?.hint?.contains("replaced") == true, "\(error?.description ?? "none")")
                let body = RequestBody(try SecretText.plain("{\"token\":\"\(token)\"}"))
                _ = try await vault.admin.send(.post, "sys/wrapping/lookup", body, until: soon)
                await backend.end()
            }
        }

        @Test("by Kubernetes and JWT, with the token that is in the file now", arguments: ["kubernetes", "jwt"])
        func signed(_ type: String) async throws {
            try await TestVault.with(.standIn) { vault in
                try await vault.signedRole(type, tokens: ["eyJ.first.x", "eyJ.second.x"])
                let file = vault.scope.path("jwt")
                try Files.write("eyJ.first.x", to: file, mode: 0o644)
                let login: VaultConfiguration.Login =
                    type == "jwt"
                    ? .jwt(mount: vault.mount, role: "node", tokenFile: file)
                    : .kubernetes(mount: vault.mount, role: "node", tokenFile: file)
                let backend = try vault.backend(vault.configuration(login))
                let seal = try await backend.seal(try KEK.generate())
                try Files.write("eyJ.second.x", to: file, mode: 0o644)
                try vault.played.control("revoke")
                _ = try await backend.open(seal)
                let logins = VaultStandIn.logins(try vault.played.takeSeen())
                #expect(logins.map { $0.body.contains("eyJ.first.x") } == [true, false])
                #expect(logins.last?.body.contains("eyJ.second.x") == true)

                try Files.write("eyJ.forged.x", to: file, mode: 0o644)
                try vault.played.control("revoke")
                let error = await sealingError { _ = try await backend.open(seal) }
                #expect(error?.errorClass == .operatorMustAct)
                await backend.end()
            }
        }

        @Test("by a client certificate")
        func certificate() async throws {
            try await TestVault.with { vault in
                let certificates = try await Certificates.make(vault.scope, "nodes")
                // The stand-in trusts one authority, which has to be that of the nodes, too.
                let issuer = vault.standIn == nil ? certificates : Certificates(scope: vault.scope, name: "test")
                try await issuer.issue("node", names: nil)
                try await vault.enable("cert")
                let pem = try Files.readText(vault.scope.path("node.pem"))
                try await vault.asRoot(
                    .post, "auth/\(vault.mount)/certs/node",
                    "{\"certificate\":\(JSONText.quote(pem)),\"token_policies\":[\"\(vault.policy)\"],\"token_ttl\":3600}"
                )
                for role in ["node", nil] {
                    var configuration = vault.configuration(.certificate(mount: vault.mount, role: role))
                    configuration.certificateFile = vault.scope.path("node.pem")
                    configuration.keyFile = vault.scope.path("node.key")
                    let backend = try vault.backend(configuration)
                    let kek = try KEK.generate()
                    #expect(try await backend.open(backend.seal(kek)).id == kek.id)
                    await backend.end()
                }
            }
        }

        @Test("in a namespace")
        func namespace() async throws {
            try await TestVault.with(.standIn) { vault in
                try await vault.asRoot(.post, "sys/namespaces/team", "{}")
                let backend = try vault.backend(
                    {
                        var configuration = vault.configuration(.tokenFile(vault.scope.path("root-token")))
                        configuration.namespace = "team"
                        return configuration
                    }())
                // The engine is in the root namespace.
                let error = await sealingError { _ = try await backend.recipient() }
                #expect(error?.errorClass == .operatorMustAct && error?.message.contains(": 404") == true)
                #expect(try vault.played.takeSeen().filter { $0.path.hasPrefix(vault.mount) }.last?.namespace == "team")
                await backend.end()
            }
        }

        @Test("refused credentials are not sent again until their file changes")
        func refused() async throws {
            try await TestVault.with(.standIn) { vault in
                let login = try await vault.appRole()
                let good = try Files.readText(vault.scope.path("secret-id"))
                try Files.write("00000000-wrong", to: vault.scope.path("secret-id"))
                let backend = try vault.backend(vault.configuration(login))
                for _ in 0..<10 {
                    let error = await sealingError { try await backend.probe(until: soon) }
                    #expect(error?.errorClass == .operatorMustAct, "\(error?.description ?? "none")")
                }
                #expect(VaultStandIn.logins(try vault.played.takeSeen()).count == 1)
                #expect(vault.log.count("Vault refuses this node") == 1)
                try Files.write(good, to: vault.scope.path("secret-id"))
                try await backend.probe(until: soon)
                #expect(VaultStandIn.logins(try vault.played.takeSeen()).count == 1)
                await backend.end()
            }
        }

        @Test("a sealed Vault, or one that is away, is no refusal: the login is tried again at the next call")
        func sealed() async throws {
            try await TestVault.with(.standIn) { vault in
                let login = try await vault.appRole()
                try vault.played.control("seal", "{\"sealed\":true}")
                let backend = try vault.backend(vault.configuration(login))
                for _ in 0..<3 {
                    let error = await sealingError { try await backend.probe(until: soon) }
                    #expect(error?.errorClass == .reopen && error?.message.contains("sealed") == true)
                }
                #expect(vault.log.count("Vault refuses this node") == 0)
                try vault.played.control("seal", "{\"sealed\":false}")
                try await backend.probe(until: soon)
                await backend.end()
            }
        }

        @Test("many calls at once log in once")
        func single() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try vault.backend(vault.configuration(try await vault.appRole()))
                try vault.played.fault("/login", "\"kind\":\"delay\",\"seconds\":0.5")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<8 { group.addTask { _ = try await backend.recipient() } }
                    try await group.waitForAll()
                }
                #expect(VaultStandIn.logins(try vault.played.takeSeen()).count == 1)
                await backend.end()
            }
        }

        @Test("the token that was made for the process is revoked at its end, one from a file is not")
        func goodbye() async throws {
            try await TestVault.with(.standIn) { vault in
                let own = try vault.backend(vault.configuration(try await vault.appRole()))
                try await own.probe(until: soon)
                await own.end()
                #expect(try vault.played.takeSeen().filter { $0.path == "auth/token/revoke-self" }.count == 1)
                let other = try await vault.backend()
                try await other.probe(until: soon)
                await other.end()
                #expect(try vault.played.takeSeen().contains { $0.path == "auth/token/revoke-self" } == false)
            }
        }
    }
}
