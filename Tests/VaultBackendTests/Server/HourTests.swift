import Keyring
import TestSupport
import Testing

@testable import VaultBackend

extension VaultBackendSuites {
    @Suite("hours with Vault, by a clock of their own")
    struct HourTests {
        /// Both clocks, the node's and the server's.
        private struct Clocks {
            let node = SimulatedTime()
            let server: VaultStandIn

            func pass(_ duration: Duration, _ total: inout Int) throws {
                total += Int(duration.components.seconds)
                try server.control("clock", "{\"seconds\":\(total)}")
                node.pass(duration)
            }
        }

        @Test("away for an hour, it is asked once each pause, and not at all when there is nothing left to renew")
        func away() async throws {
            try await TestVault.with(.standIn) { vault in
                let time = SimulatedTime()
                let login = try await vault.appRole()
                let backend = try vault.backend(vault.configuration(login), pacing: time.pacing)
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                try vault.played.control("seal", "{\"sealed\":true}")
                _ = try vault.played.takeSeen()
                let end = time.now + .seconds(3600)
                var attempts = 0
                var last: ContinuousClock.Instant?
                while let due = time.due.min(), due < end {
                    // Never sooner than half a second after the attempt before.
                    if let last { #expect(due - last >= .milliseconds(500)) }
                    last = due
                    #expect(time.pass(due - time.now) == 1)
                    attempts += 1
                    let expires = end - time.now < .milliseconds(500)
                    try await eventually("attempt \(attempts)", within: .seconds(30)) {
                        vault.log.count("could not be renewed yet") == attempts && !time.due.isEmpty || expires
                    }
                    if expires { break }
                }
                time.pass(max(end - time.now, .zero) + .seconds(1))
                #expect(attempts > 10 && attempts < 80, "\(attempts)")
                let seen = try vault.played.takeSeen()
                #expect(seen.count <= attempts && seen.allSatisfy { $0.path == "auth/token/renew-self" })
                #expect(seen.count >= attempts - 1)
                // The token's life is over, by this node's clock: nothing is asked but what a call wants.
                time.pass(.seconds(36000))
                #expect(time.due.isEmpty)
                for _ in 0..<3 {
                    #expect(await sealingError { _ = try await backend.open(seal) }?.errorClass == .reopen)
                }
                #expect(try vault.played.takeSeen().map(\.path).count { $0.hasSuffix("/login") } == 3)
                try vault.played.control("seal", "{\"sealed\":false}")
                #expect(try await backend.open(seal).id == kek.id)
                await backend.end()
            }
        }

        @Test(
            "a token that expired, by one clock or by both, was revoked or cannot be renewed fails no call",
            arguments: ["\"token_ttl\":\"1h\"", "\"token_ttl\":\"1h\",\"token_type\":\"batch\""])
        func inService(_ options: String) async throws {
            try await TestVault.with(.standIn) { vault in
                let clocks = Clocks(server: try vault.played)
                let login = try await vault.appRole(options)
                let backend = try vault.backend(vault.configuration(login), pacing: clocks.node.pacing)
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                var passed = 0
                for ages in 1...3 {
                    // By the server's clock alone.
                    passed += 4000
                    try clocks.server.control("clock", "{\"seconds\":\(passed)}")
                    #expect(try await backend.open(seal).id == kek.id, "\(ages)")
                    // By both.
                    try clocks.pass(.seconds(4000), &passed)
                    #expect(try await backend.open(seal).id == kek.id, "\(ages)")
                    // By the node's alone.
                    clocks.node.pass(.seconds(4000))
                    #expect(try await backend.open(seal).id == kek.id, "\(ages)")
                    try clocks.server.control("revoke")
                    try await backend.probe(until: soon)
                }
                await backend.end()
            }
        }

        @Test("a stale secret ID does not lock the role for the other nodes, however long it is tried")
        func lockout() async throws {
            try await TestVault.with(.standIn) { vault in
                let clocks = Clocks(server: try vault.played)
                let login = try await vault.appRole()
                guard case .appRole(let mount, let role, _, _) = login else { throw TestError("no AppRole") }
                try Files.write("00000000-stale", to: vault.scope.path("stale"))
                let stale = try vault.backend(
                    vault.configuration(
                        .appRole(
                            mount: mount, roleIDFile: role, secretIDFile: vault.scope.path("stale"), isWrapped: false)),
                    pacing: clocks.node.pacing)
                _ = try vault.played.takeSeen()
                var passed = 0
                var times: [Int] = []
                while passed < 4 * 3600 {
                    #expect(await sealingError { try await stale.probe(until: soon) } != nil)
                    if VaultStandIn.logins(try vault.played.takeSeen()).count > 0 { times.append(passed) }
                    // Vault counts refusals of which no two are 15 minutes apart; a good login would clear them.
                    let counts = try vault.played.control("refusals")
                    #expect(counts.contains("\"most\": ") && !counts.contains("\"most\": 5"), "\(times)")
                    try clocks.pass(.seconds(60), &passed)
                }
                #expect(times.count >= 4)
                let others = try vault.backend(vault.configuration(login))
                try await others.probe(until: soon)
                await others.end()
                await stale.end()
            }
        }

        @Test("a token from a file that is near its end gets its whole life back, and nobody's is shortened")
        func increment() async throws {
            try await TestVault.with(.standIn) { vault in
                let clocks = Clocks(server: try vault.played)
                let file = try await vault.tokenFile("token", "\"ttl\":\"600s\"")
                var passed = 580
                try clocks.server.control("clock", "{\"seconds\":\(passed)}")
                let backend = try vault.backend(vault.configuration(.tokenFile(file)), pacing: clocks.node.pacing)
                try await backend.probe(until: soon)
                try clocks.pass(.seconds(13), &passed)
                try await eventually("a renewal", within: .seconds(30)) { vault.log.count("was renewed") == 1 }
                let token = try VaultToken(copying: try SecretFile(file).read().secret)
                let answer = try await vault.admin.send(.get, "auth/token/lookup-self", token: token, until: soon)
                #expect(590...600 ~= answer.data?["ttl"]?.integer ?? 0)
                await backend.end()
            }
        }

        @Test("a new token that Vault does not take is not got again and again, whoever calls")
        func stillborn() async throws {
            try await TestVault.with(.standIn) { vault in
                let time = SimulatedTime()
                let login = try await vault.appRole()
                let backend = try vault.backend(vault.configuration(login), pacing: time.pacing)
                let seal = try await backend.seal(try KEK.generate())
                // As with token_bound_cidrs that this node is not in: it may log in, and that is all.
                for path in ["/keys/", "/decrypt/", "-self"] {
                    try vault.played.fault(
                        path, "\"kind\":\"status\",\"status\":403,\"errors\":[\"permission denied\"]")
                }
                for hour in 1...3 {
                    _ = try vault.played.takeSeen()
                    for _ in 0..<20 {
                        await withTaskGroup(of: Void.self) { group in
                            for _ in 0..<6 {
                                group.addTask {
                                    let error = await sealingError { _ = try await backend.open(seal) }
                                    #expect(error?.errorClass == .operatorMustAct, "\(error?.description ?? "none")")
                                }
                            }
                        }
                    }
                    #expect(VaultStandIn.logins(try vault.played.takeSeen()).count <= (hour == 1 ? 3 : 2))
                    time.pass(.seconds(3600))
                }
                try vault.played.mend()
                time.pass(.seconds(3600))
                _ = try await backend.open(seal)
                await backend.end()
            }
        }
    }
}
