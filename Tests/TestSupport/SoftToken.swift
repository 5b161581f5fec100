/// A token store of SoftHSM in a test's own folder, with one token, made by the project's fixture script.
public struct SoftToken: Sendable {
    /// SoftHSM's store: moved away, the HSM is dead.
    public let folder: String
    /// The file for SOFTHSM2_CONF.
    public let configuration: String
    /// SoftHSM's library.
    public let module: String
    /// The token's label.
    public let label: String
    /// The file with the user PIN.
    public let pinFile: String

    /// Makes the token. A missing package is a failure with its name, never a skipped test.
    public static func make(_ scope: TestScope, label: String = "test") async throws -> SoftToken {
        let script = PackageSources.root + "/softhsm-fixtures/new-token.sh"
        let result = try await ChildProcess.run(script, [scope.path("hsm"), label])
        guard result.succeeded else { throw TestError("no token: \(result.text)") }
        var values: [String: String] = [:]
        for line in result.output.split(separator: "\n") {
            let pair = line.dropFirst("export ".count).split(separator: "=", maxSplits: 1)
            if pair.count == 2 { values[String(pair[0])] = pair[1].filter { $0 != "'" } }
        }
        guard let configuration = values["SOFTHSM2_CONF"], let module = values["TROUSSEAU_TEST_MODULE"],
            let pinFile = values["TROUSSEAU_TEST_PIN_FILE"]
        else { throw TestError("the fixture prints something else: \(result.output)") }
        if !Files.exists(scope.path("guard")) { try Files.makeDirectory(scope.path("guard")) }
        return SoftToken(
            folder: scope.path("hsm/tokens"), configuration: configuration, module: module, label: label,
            pinFile: pinFile)
    }

    /// The sealing key.
    public var uri: String { "pkcs11:token=\(label);object=kek-sealer" }

    /// Another token of the same label in the same store.
    public func addTwin() async throws {
        let environment = ["SOFTHSM2_CONF": configuration, "PIN": "12345678"]
        let slots = try await ChildProcess.run(
            "pkcs11-tool", ["--module", module, "--list-slots"], environment: environment)
        // The last slot always holds a token that is not initialized.
        let last = slots.output.split(separator: "\n").filter { $0.hasPrefix("Slot ") }.count - 1
        let result = try await ChildProcess.run(
            "pkcs11-tool",
            ["--module", module, "--init-token", "--slot-index", "\(last)", "--label", label, "--so-pin", "env:PIN"],
            environment: environment)
        guard result.succeeded else { throw TestError("no second token: \(result.text)") }
    }

    /// pkcs11-tool, logged in as the user. The PIN goes through the environment.
    public func tool(_ arguments: [String]) async throws -> ChildProcess.Result {
        let pin = try Files.readText(pinFile)
        let result = try await ChildProcess.run(
            "pkcs11-tool", ["--module", module, "--token-label", label, "--login", "--pin", "env:PIN"] + arguments,
            environment: ["SOFTHSM2_CONF": configuration, "PIN": pin])
        guard result.succeeded else { throw TestError("pkcs11-tool \(arguments): \(result.text)") }
        return result
    }
}
