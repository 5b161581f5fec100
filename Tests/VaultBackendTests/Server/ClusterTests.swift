import Keyring
import TestSupport
import Testing

@testable import VaultBackend

extension VaultBackendSuites {
    @Suite("several servers of one Vault")
    struct ClusterTests {
        /// A second server that knows nothing, such as a standby.
        private func second(_ vault: TestVault, _ name: String = "second") async throws -> VaultStandIn {
            try await VaultStandIn.start(
                vault.scope, name, certificates: Certificates(scope: vault.scope, name: "test"), root: "other-root")
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

        @Test("a redirect to anywhere else is not followed: nothing is sent there")
        func strangers() async throws {
            try await TestVault.with(.standIn) { vault in
                let standby = try await second(vault)
                let stranger = try await second(vault, "stranger")
                // Another server that is configured, and away.
                let away = "https://127.0.0.1:\(try Loopback.freePort())"
                let backend = try await backend(vault, ["https://127.0.0.1:\(standby.port)", away])
                for place in [
                    "https://127.0.0.1:\(stranger.port)", "http://127.0.0.1:\(try vault.played.port)", "//evil",
                    "ftp://x",
                    "https://127.0.0.1:\(try vault.played.port)@127.0.0.1:\(stranger.port)",
                ] {
                    try standby.control("standby", "{\"location\":\(JSONText.quote(place))}")
                    let error = await sealingError { _ = try await backend.recipient() }
                    #expect(error != nil, "\(place)")
                    #expect(error?.message.contains("redirects") == true, "\(error?.description ?? "none")")
                }
                #expect(try stranger.takeSeen().isEmpty)
                await backend.end()
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
