internal import TestSupport
internal import Testing

/// A SoftHSM token behind p11-kit's server: an HSM that is reached through a socket, and whose peer may die.
struct RemoteToken {
    private let socket: String
    private let token: SoftToken
    let environment: [String: String]

    static func make(_ scope: TestScope) async throws -> (RemoteToken, ChildProcess) {
        let token = try await SoftToken.make(scope)
        _ = try await token.tool([
            "--keypairgen", "--key-type", "rsa:2048", "--label", "kek-sealer", "--id", "01", "--private", "--sensitive",
            "--usage-decrypt",
        ])
        let socket = scope.path("p11.sock")
        let remote = RemoteToken(
            socket: socket, token: token,
            environment: [
                "P11_KIT_SERVER_ADDRESS": "unix:path=\(socket)",
                "DRIVER_MODULE": try PKCS11Library.path("p11-kit-client.so", package: "p11-kit-modules"),
                "DRIVER_KEY": "pkcs11:token=test;object=kek-sealer;type=private", "DRIVER_PIN": token.pinFile,
                "DRIVER_GUARD": scope.path("guard"), "DRIVER_BACKOFF": "100", "DRIVER_SHA1": "1",
            ])
        return (remote, try await remote.serve(scope))
    }

    /// Starts the server; it forks for each client, and all die with its process group.
    func serve(_ scope: TestScope) async throws -> ChildProcess {
        try Files.remove(socket)
        let server = try scope.start(
            "p11-kit",
            [
                "server", "--foreground", "--name", socket, "--provider", token.module, "pkcs11:token=test",
            ], environment: ["SOFTHSM2_CONF": token.configuration])
        try await server.waitForOutput("P11_KIT_SERVER_PID", within: .seconds(20))
        return server
    }
}

@Suite("a network HSM, by p11-kit's remoting")
struct RemoteTests {
    @Test("what its protocol passes is chosen, and the peer's death is survived, again and again")
    func death() async throws {
        try await TestScope.with { scope in
            var (token, server) = try await RemoteToken.make(scope)
            let driver = try await Driver.start(scope, token.environment)
            let findings = try await driver.ask("diagnose")
            #expect(findings.contains { $0.contains("mechanism RSA-OAEP with SHA-1: chosen") }, "\(findings)")
            let seal = try await driver.ask("seal", "seal")
            let descriptors = try driver.descriptors
            for _ in 0..<3 {
                _ = try await driver.ask("unseal \(seal)", "opened")
                await server.destroy()
                let refusal = try await driver.ask("within 10000 unseal \(seal)", "error")
                #expect(refusal.hasPrefix("reopen ") || refusal.hasPrefix("retry "), "\(refusal)")
                #expect(try await driver.ask("probe", "error").hasPrefix("reopen "))
                server = try await token.serve(scope)
                try await driver.eventually("unseal \(seal)", "opened", within: .seconds(60))
            }
            #expect(try driver.descriptors <= descriptors + 1)
            #expect(try Files.list(scope.path("guard")).allSatisfy { !$0.hasSuffix(".pin-guard") })
        }
    }

    @Test("a start without the peer waits for it")
    func absentAtStart() async throws {
        try await TestScope.with { scope in
            let (token, server) = try await RemoteToken.make(scope)
            let maker = try await Driver.start(scope, token.environment)
            let seal = try await maker.ask("seal", "seal")
            try await maker.end()
            await server.destroy()
            let driver = try await Driver.start(scope, token.environment)
            #expect(try await driver.ask("unseal \(seal)", "error").hasPrefix("reopen "))
            _ = try await token.serve(scope)
            try await driver.eventually("unseal \(seal)", "opened", within: .seconds(60))
        }
    }
}
