internal import Glibc
internal import TestSupport
internal import Testing

/// A software TPM with a token of tpm2-pkcs11 and an RSA key on it.
struct TPMToken {
    private let state: String
    private let socket: String
    let environment: [String: String]

    static func make(_ scope: TestScope) async throws -> (TPMToken, ChildProcess) {
        for folder in ["tpm", "store", "guard"] { try Files.makeDirectory(scope.path(folder)) }
        let setup = try await ChildProcess.run("swtpm_setup", ["--tpm2", "--tpmstate", scope.path("tpm")])
        guard setup.succeeded else { throw TestError("swtpm_setup (swtpm-tools): \(setup.text)") }
        let pinFile = scope.path("tpm.pin")
        try Files.write("tpm-test-pin-1", to: pinFile)
        let module = try PKCS11Library.path("libtpm2_pkcs11.so", package: "libtpm2-pkcs11-1")
        let socket = scope.path("swtpm")
        let token = TPMToken(
            state: scope.path("tpm"), socket: socket,
            environment: [
                "TPM2_PKCS11_STORE": scope.path("store"), "TPM2_PKCS11_TCTI": "swtpm:path=\(socket)",
                "DRIVER_MODULE": module, "DRIVER_KEY": "pkcs11:token=tpm;object=kek-sealer;type=private",
                "DRIVER_PIN": pinFile, "DRIVER_GUARD": scope.path("guard"), "DRIVER_BACKOFF": "200",
            ])
        let tpm = try await token.start(scope)
        let pins = ["PIN": "tpm-test-pin-1", "SO": "tpm-test-so-pin-1"]
        for arguments in [
            ["--slot-index", "0", "--init-token", "--label", "tpm", "--so-pin", "env:SO"],
            ["--token-label", "tpm", "--init-pin", "--login", "--login-type", "so", "--so-pin", "env:SO"]
                + ["--new-pin", "env:PIN"],
            ["--token-label", "tpm", "--login", "--pin", "env:PIN", "--keypairgen", "--key-type", "rsa:2048"]
                + ["--label", "kek-sealer", "--id", "01", "--usage-decrypt"],
        ] {
            let result = try await ChildProcess.run(
                "pkcs11-tool", ["--module", module] + arguments,
                environment: token.environment.merging(pins) { $1 })
            guard result.succeeded else { throw TestError("pkcs11-tool \(arguments): \(result.text)") }
        }
        return (token, tpm)
    }

    /// Starts the TPM and waits until it takes connections.
    func start(_ scope: TestScope) async throws -> ChildProcess {
        try Files.remove(socket)
        try Files.remove(socket + ".ctrl")
        let tpm = try scope.start(
            "swtpm",
            [
                "socket", "--tpm2", "--tpmstate", "dir=\(state)", "--server", "type=unixio,path=\(socket)", "--ctrl",
                "type=unixio,path=\(socket).ctrl", "--flags", "not-need-init,startup-clear",
            ])
        try await eventually("swtpm listens", within: .seconds(20)) {
            Files.exists(socket) && Files.exists(socket + ".ctrl")
        }
        return tpm
    }
}

@Suite("tpm2-pkcs11 over a software TPM")
struct TPMTests {
    @Test("RSA-OAEP with SHA-256 is chosen, seals open, altered ones do not")
    func oaep() async throws {
        try await TestScope.with { scope in
            let (token, _) = try await TPMToken.make(scope)
            let driver = try await Driver.start(scope, token.environment)
            let findings = try await driver.ask("diagnose")
            #expect(findings.contains { $0.contains("mechanism RSA-OAEP with SHA-256: chosen") }, "\(findings)")
            #expect(findings.contains { $0.contains("mechanism AES-GCM, caller's IV: not an AES key") })
            let seal = try await driver.ask("seal", "seal")
            _ = try await driver.ask("unseal \(seal)", "opened")
            var words = seal.split(separator: " ").map(String.init)
            words[3] = String(words[3].dropLast()) + (words[3].hasSuffix("0") ? "1" : "0")
            #expect(try await driver.ask("unseal \(words.joined(separator: " "))", "error").hasPrefix("permanent "))
            #expect(try await driver.ask("probe").contains("well"))
            #expect(try await driver.ask("shutdown").contains("ended"))
        }
    }

    @Test("the TPM dies and comes back: no restart of ours")
    func death() async throws {
        try await TestScope.with { scope in
            let (token, tpm) = try await TPMToken.make(scope)
            let driver = try await Driver.start(scope, token.environment)
            let seal = try await driver.ask("seal", "seal")
            await tpm.destroy()
            let refusal = try await driver.ask("within 5000 unseal \(seal)", "error")
            #expect(refusal.hasPrefix("reopen ") || refusal.hasPrefix("retry "), "\(refusal)")
            _ = try await token.start(scope)
            try await driver.eventually("unseal \(seal)", "opened", within: .seconds(60))
        }
    }
}
