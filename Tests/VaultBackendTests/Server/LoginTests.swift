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

        @Test("in a namespace, with all that it needs in there; the recipient is the same by one mount's path")
        func namespace() async throws {
            try await TestVault.with { vault in
                let space = "space-\(vault.tag)"
                try await vault.asRoot(.post, "sys/namespaces/\(space)", "{}")
                let inside = VaultClient(
                    try CheckedConfiguration(vault.configuration(.tokenFile("/none"))),
                    headers: ["X-Vault-Namespace: \(space)"])
                func asOwner(_ method: HTTPRequest.Method, _ path: String, _ json: String) async throws -> VaultAnswer {
                    let body = RequestBody(try SecretText.plain(json))
                    return try await inside.send(method, path, body, token: vault.root, until: soon)
                }
                _ = try await asOwner(.post, "sys/mounts/transit", "{\"type\":\"transit\"}")
                _ = try await asOwner(.post, "transit/keys/\(vault.key)", "{}")
                let policy = try TestVault.documentedPolicy().replacing("/trousseau\"", with: "/\(vault.key)\"")
                _ = try await asOwner(.post, "sys/policies/acl/node", "{\"policy\":\(JSONText.quote(policy))}")
                _ = try await asOwner(.post, "sys/auth/approle", "{\"type\":\"approle\"}")
                let role = "auth/approle/role/node"
                _ = try await asOwner(.post, role, "{\"token_policies\":[\"node\"],\"token_ttl\":\"1h\"}")
                let roleID = try await inside.send(.get, "\(role)/role-id", token: vault.root, until: soon)
                let secretID = try await asOwner(.post, "\(role)/secret-id", "{}")
                try Files.write(roleID.data?["role_id"]?.text ?? "", to: vault.scope.path("role-id"))
                try Files.write(secretID.data?["secret_id"]?.text ?? "", to: vault.scope.path("secret-id"))
                var configuration = vault.configuration(
                    .appRole(
                        mount: "approle", roleIDFile: vault.scope.path("role-id"),
                        secretIDFile: vault.scope.path("secret-id"), isWrapped: false))
                configuration.mount = "transit"
                configuration.namespace = space
                let backend = try vault.backend(configuration)
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                #expect(try await backend.open(seal).id == kek.id)
                let findings = await backend.diagnose(until: soon)
                #expect(findings.allSatisfy { $0.severity == .ok }, "\(findings)")
                await backend.end()

                var byPath = vault.configuration(.tokenFile(vault.scope.path("root-token")))
                byPath.mount = "\(space)/transit"
                let other = try vault.backend(byPath)
                #expect(try await other.recipient() == seal.recipient)
                #expect(try await other.open(seal).id == kek.id)
                // The engine is in the namespace, and nowhere else.
                byPath.mount = "transit"
                let outside = try vault.backend(byPath)
                let error = await sealingError { _ = try await outside.recipient() }
                #expect(error?.errorClass == .operatorMustAct && error?.message.contains(": 404") == true)
                for backend in [other, outside] { await backend.end() }
                await inside.stop()
                if vault.standIn == nil { _ = try await vault.asRoot(.delete, "sys/namespaces/\(space)") }
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

        @Test("a login that is on its way at the end leaves no token, and neither does one that was replaced")
        func late() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try vault.backend(vault.configuration(try await vault.appRole()))
                try vault.played.fault("/login", "\"kind\":\"delay\",\"seconds\":1")
                let probe = Task { try? await backend.probe(until: soon) }
                try await eventually("a login on its way", within: .seconds(30)) {
                    try vault.played.control("seen").contains("/login\"")
                }
                await backend.end()
                _ = await probe.value
                #expect(vault.log.count("logged in") == 0)
                #expect(try vault.played.control("tokens").contains("\"count\": 0"))
                try vault.played.mend()

                let time = SimulatedTime()
                let long = try vault.backend(
                    vault.configuration(try await vault.appRoleAgain("\"token_ttl\":\"1h\",\"renewable\":false")),
                    pacing: time.pacing)
                try await long.probe(until: soon)
                for logins in 2...4 {
                    // The upkeep, and the last moments of the token before.
                    time.pass(.seconds(2200))
                    try await eventually("login \(logins)", within: .seconds(30)) {
                        vault.log.count("logged in") == logins
                    }
                    try await eventually("another pause", within: .seconds(30)) { time.due.count >= 2 }
                    time.pass(.seconds(31))
                    try await eventually("one token", within: .seconds(30)) {
                        try vault.played.control("tokens").contains("\"count\": 1")
                    }
                }
                await long.end()
                #expect(try vault.played.control("tokens").contains("\"count\": 0"))
            }
        }

        @Test("a spent wrapping token may be removed, rewritten or replaced by one that is no good")
        func spent() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try vault.backend(vault.configuration(try await vault.appRole(isWrapped: true)))
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                let file = vault.scope.path("secret-id")
                let spent = try Files.readText(file)
                for text in [nil, spent, "s.stolen-and-replaced"] as [String?] {
                    if Files.exists(file) { try Files.remove(file) }
                    if let text { try Files.write(text, to: file) }
                    try vault.played.control("revoke")
                    #expect(try await backend.open(seal).id == kek.id, "\(text ?? "removed")")
                }
                // It is one that came from elsewhere: that is said.
                #expect(vault.log.count("the new wrapped secret ID cannot be used") == 1)
                #expect(!vault.log.text.contains("stolen"))
                await backend.end()
            }
        }

        @Test(
            "a client certificate that was replaced is used, at once after a refusal, and its key is not open to everybody"
        )
        func replacedCertificate() async throws {
            try await TestVault.with(.standIn) { vault in
                let issuer = Certificates(scope: vault.scope, name: "test")
                try await vault.enable("cert")
                func role(_ name: String) async throws {
                    try await issuer.issue(name, names: nil)
                    let pem = try Files.readText(vault.scope.path("\(name).pem"))
                    try await vault.asRoot(
                        .post, "auth/\(vault.mount)/certs/node",
                        "{\"certificate\":\(JSONText.quote(pem)),\"token_policies\":[\"\(vault.policy)\"]}")
                }
                try await role("a")
                var configuration = vault.configuration(.certificate(mount: vault.mount, role: nil))
                configuration.certificateFile = vault.scope.path("a.pem")
                configuration.keyFile = vault.scope.path("a.key")
                let backend = try vault.backend(configuration)
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                // The connection of before shows the certificate of before.
                try await role("b")
                try vault.played.control("revoke")
                let refused = await sealingError { _ = try await backend.open(seal) }
                #expect(refused?.errorClass == .operatorMustAct, "\(refused?.description ?? "none")")
                for end in ["pem", "key"] {
                    try Files.write(
                        try Files.read(vault.scope.path("b.\(end)")), to: vault.scope.path("a.\(end)"), mode: 0o600)
                }
                #expect(try await backend.open(seal).id == kek.id)

                try Files.changeMode(vault.scope.path("a.key"), to: 0o644)
                try vault.played.control("revoke")
                let open = await sealingError { _ = try await backend.open(seal) }
                #expect(open?.hint?.contains("chmod o= ") == true, "\(open?.description ?? "none")")
                let findings = await backend.diagnose(until: soon)
                #expect(findings.contains { $0.severity == .error && $0.subject.contains("a.key") })
                await backend.end()
            }
        }

        @Test("what a proxy says to a login is no refusal")
        func proxyRefusal() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try vault.backend(vault.configuration(try await vault.appRole()))
                for status in ["400 Bad Request", "403 Forbidden", "404 Not Found"] {
                    try vault.played.fault(
                        "/login", #""kind":"raw","pieces":[{"text":"HTTP/1.1 \#(status)\r\n\r\n<html>"}]"#, count: 1)
                    let error = await sealingError { try await backend.probe(until: soon) }
                    #expect(error?.errorClass == .reopen, "\(error?.description ?? "none")")
                }
                #expect(vault.log.count("Vault refuses this node") == 0)
                try await backend.probe(until: soon)
                await backend.end()
            }
        }
    }
}
