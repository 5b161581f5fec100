import Keyring
import TestSupport
import Testing

@testable import VaultBackend

extension VaultBackendSuites {
    @Suite("several servers of one Vault")
    struct ClusterTests {
        /// A second server that knows nothing, such as a standby.
        private func second(
            _ vault: TestVault, _ name: String = "second", _ options: [String] = []
        ) async throws -> VaultStandIn {
            try await VaultStandIn.start(
                vault.scope, name, certificates: Certificates(scope: vault.scope, name: "test"), root: "other-root",
                options: options)
        }

        private func backend(_ vault: TestVault, _ addresses: [String]) async throws -> VaultBackend {
            var configuration = vault.configuration(.tokenFile(try await vault.tokenFile()))
            configuration.address = addresses[0]
            configuration.otherAddresses = Array(addresses.dropFirst())
            return try vault.backend(configuration)
        }

        @Test("a standby's redirect is followed to a configured server, with the token and the body")
        func redirect() async throws {
            try await TestVault.with(.standIn) { vault in
                let standby = try await second(vault)
                try standby.control("standby", "{\"location\":\"\(vault.address)\"}")
                let backend = try await backend(vault, ["https://127.0.0.1:\(standby.port)", vault.address])
                let kek = try KEK.generate()
                #expect(try await backend.open(backend.seal(kek)).id == kek.id)
                #expect(try standby.takeSeen().count > 3)
                await backend.end()
            }
        }

        @Test(
            "a redirect to anywhere else is not followed: neither a token nor a body is sent there",
            arguments: ["/keys/", "/encrypt/", "/decrypt/", "/login"])
        func strangers(_ path: String) async throws {
            try await TestVault.with(.standIn) { vault in
                // They would take whatever is sent to them: both have a certificate of the authority that is trusted, or none.
                let stranger = try await second(vault, "stranger")
                let plain = try await second(vault, "plain", ["--plain"])
                let (there, inClear) = ("127.0.0.1:\(stranger.port)", "127.0.0.1:\(plain.port)")
                let here = "127.0.0.1:\(try vault.played.port)"
                for place in [
                    "https://\(there)", "http://\(inClear)", "//\(there)", "ftp://\(there)", "https://\(here)@\(there)",
                    "http://\(here)", "https://LOCALHOST:\(stranger.port)",
                ] {
                    let backend = try vault.backend(
                        vault.configuration(
                            try await path == "/login"
                                ? vault.appRoleAgain() : .tokenFile(vault.scope.path("root-token"))))
                    try vault.played.fault(
                        path,
                        "\"kind\":\"status\",\"status\":307,\"headers\":{\"Location\":\"\(place)/v1/x?token=s.query\"}")
                    _ = try vault.played.takeSeen()
                    let error = await sealingError { try await backend.probe(until: soon) }
                    #expect(error?.message.contains("redirects to ") == true, "\(error?.description ?? "none")")
                    #expect(error?.message.contains("query") == false)
                    if place == "https://\(there)" { #expect(error?.message.contains(place) == true) }
                    let asked = try #require(try vault.played.takeSeen().last { $0.path.contains(path) })
                    #expect(path == "/keys/" || !asked.body.isEmpty)
                    try vault.played.mend()
                    await backend.end()
                }
                #expect(try stranger.takeSeen().isEmpty && plain.takeSeen().isEmpty)
            }
        }

        @Test("a redirect from https to http is not followed, even to an address that is configured")
        func downgrade() async throws {
            try await TestVault.with(.standIn) { vault in
                let plain = try await second(vault, "plain", ["--plain"])
                let inClear = "http://127.0.0.1:\(plain.port)"
                var configuration = vault.configuration(.tokenFile("/none"))
                configuration.otherAddresses = [inClear]
                let client = VaultClient(try CheckedConfiguration(configuration))
                #expect(client.target(of: "\(inClear)/v1/x", "x") == nil)
                #expect(client.target(of: "\(vault.address)/v1/x", "x")?.url == vault.address)
                for other in ["/v1/y", "/v1/x?a", "/v1/x#a", "/v1/x/", "/v2/x", ""] {
                    #expect(client.target(of: vault.address + other, "x") == nil, "\(other)")
                }
                // It is asked by itself, as an address of its own, and is asked first from then on.
                try vault.played.control("standby", "{\"location\":\"\(inClear)\"}")
                for _ in 0..<3 { _ = try await client.ask(.get, "auth/token/lookup-self", until: soon) }
                #expect(try vault.played.takeSeen().filter { $0.path == "auth/token/lookup-self" }.count == 1)
                #expect(try plain.takeSeen().count == 3)
                await client.stop()
            }
        }

        @Test("what a redirect names is not told when it repeats a token that was sent")
        func repeated() async throws {
            try await TestVault.with(.standIn) { vault in
                let token = "abcdefgh0123456789"
                try Files.write(token, to: vault.scope.path("token"))
                let backend = try vault.backend(vault.configuration(.tokenFile(vault.scope.path("token"))))
                try vault.played.control("standby", "{\"location\":\"https://\(token).example\"}")
                let error = await sealingError { _ = try await backend.recipient() }
                #expect(error?.message.contains("redirects to […]") == true, "\(error?.description ?? "none")")
                await backend.end()
            }
        }

        @Test(
            "a server that fails by itself is left for the next one, which is asked first then",
            arguments: [500, 501, 502, 504])
        func failing(_ status: Int) async throws {
            try await TestVault.with(.standIn) { vault in
                let other = try await second(vault)
                try other.fault("", "\"kind\":\"status\",\"status\":\(status),\"errors\":[\"no luck\"]")
                let backend = try await backend(vault, ["https://127.0.0.1:\(other.port)", vault.address])
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                #expect(try await backend.open(seal).id == kek.id)
                #expect(try other.takeSeen().count == 1)
                // All fail: it is said, and the next call begins elsewhere.
                try vault.played.fault("", "\"kind\":\"status\",\"status\":502,\"errors\":[]")
                #expect(await sealingError { _ = try await backend.open(seal) } != nil)
                try vault.played.mend()
                _ = try other.takeSeen()
                #expect(try await backend.open(seal).id == kek.id)
                await backend.end()
            }
        }

        @Test(
            "what may have been used up is not sent to another server, nor again to the same one",
            arguments: [
                ("sys/wrapping/unwrap", "\"kind\":\"after\""),
                ("sys/wrapping/unwrap", "\"kind\":\"status\",\"status\":502"),
                ("/login", "\"kind\":\"after\""), ("/login", "\"kind\":\"status\",\"status\":504"),
                ("/login", "\"kind\":\"raw\",\"pieces\":[{\"text\":\"HTTP/1.1 503 Busy\\r\\n\\r\\n<html>\"}]"),
            ])
        func once(_ path: String, _ fault: String) async throws {
            try await TestVault.with(.standIn) { vault in
                let other = try await second(vault)
                for others in [[], ["https://127.0.0.1:\(other.port)"]] {
                    var configuration = vault.configuration(try await vault.appRoleAgain(isWrapped: true))
                    configuration.otherAddresses = others
                    let backend = try vault.backend(configuration)
                    try vault.played.fault(path, fault, count: 1)
                    _ = try vault.played.takeSeen()
                    #expect(await sealingError { try await backend.probe(until: soon) } != nil)
                    #expect(try vault.played.takeSeen().filter { $0.path.contains(path) }.count == 1)
                    #expect(try other.takeSeen().allSatisfy { $0.path == "sys/health" })
                    await backend.end()
                    try vault.played.mend()
                }
            }
        }

        @Test(
            "what was certainly not taken is sent to the next server: one that is away, sealed or hangs costs no login")
        func untaken() async throws {
            try await TestVault.with(.standIn) { vault in
                let sealed = try await second(vault, "sealed")
                try sealed.control("seal", "{\"sealed\":true}")
                let hanging = try await second(vault, "hanging")
                try hanging.fault("", "\"kind\":\"hang\"")
                for port in [try Loopback.freePort(), sealed.port, hanging.port] {
                    var configuration = vault.configuration(try await vault.appRoleAgain(isWrapped: true))
                    configuration.address = "https://127.0.0.1:\(port)"
                    configuration.otherAddresses = [vault.address]
                    let backend = try vault.backend(configuration)
                    try await backend.probe(until: soon)
                    await backend.end()
                }
                #expect(try hanging.takeSeen().allSatisfy { $0.path == "sys/wrapping/lookup" })
                try hanging.mend()
            }
        }

        @Test("servers that redirect to each other come to an end")
        func circle() async throws {
            try await TestVault.with(.standIn) { vault in
                let one = try await second(vault, "one")
                let two = try await second(vault, "two")
                try one.control("standby", "{\"location\":\"https://127.0.0.1:\(two.port)\"}")
                try two.control("standby", "{\"location\":\"https://127.0.0.1:\(one.port)\"}")
                let backend = try await backend(vault, [one, two].map { "https://127.0.0.1:\($0.port)" })
                let error = await sealingError { _ = try await backend.recipient() }
                #expect(error?.errorClass == .reopen && error?.message.contains("each other") == true)
                #expect(try one.takeSeen().count + two.takeSeen().count <= 6)
                await backend.end()
            }
        }

        @Test("the next is asked when one is away, is sealed or hangs; the one that answered is asked first then")
        func failover() async throws {
            try await TestVault.with(.standIn) { vault in
                let away = "https://127.0.0.1:\(try Loopback.freePort())"
                let other = try await second(vault)
                try other.control("seal", "{\"sealed\":true}")
                let backend = try await backend(vault, [away, "https://127.0.0.1:\(other.port)", vault.address])
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                #expect(try other.takeSeen().count == 1)
                #expect(try await backend.open(seal).id == kek.id)
                #expect(try other.takeSeen().isEmpty)

                let hanging = try await second(vault, "hanging")
                try hanging.fault("", "\"kind\":\"hang\"")
                let patient = try await self.backend(vault, ["https://127.0.0.1:\(hanging.port)", vault.address])
                #expect(try await patient.unseal(seal, until: .now + .seconds(6)).id == kek.id)
                try hanging.mend()

                try vault.played.control("seal", "{\"sealed\":true}")
                let error = await sealingError { _ = try await backend.open(seal) }
                #expect(error?.errorClass == .reopen && error?.message.contains("sealed") == true)
                await backend.end()
                await patient.end()
            }
        }
    }
}
