internal import TestSupport

/// A token store of SoftHSM in a test's own folder, with one token, made by the project's fixture script.
struct SoftToken {
    let folder: String
    let configuration: String
    let module: String
    let label: String
    let pinFile: String

    /// Makes the token. A missing package is a failure with its name, never a skipped test.
    static func make(_ scope: TestScope, label: String = "test") async throws -> SoftToken {
        let result = try await ChildProcess.run(
            try Project.path("softhsm-fixtures/new-token.sh"), [scope.path("hsm"), label])
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

    var uri: String { "pkcs11:token=\(label);object=kek-sealer" }

    /// Another token of the same label in the same store.
    func addTwin() async throws {
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
    func tool(_ arguments: [String]) async throws -> ChildProcess.Result {
        let pin = try Files.readText(pinFile)
        let result = try await ChildProcess.run(
            "pkcs11-tool", ["--module", module, "--token-label", label, "--login", "--pin", "env:PIN"] + arguments,
            environment: ["SOFTHSM2_CONF": configuration, "PIN": pin])
        guard result.succeeded else { throw TestError("pkcs11-tool \(arguments): \(result.text)") }
        return result
    }
}

/// Files of the repository that tests use.
enum Project {
    /// Absolute, from the package's folder.
    static func path(_ relative: String, file: String = #filePath) throws -> String {
        let folder = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
        let path = folder + "/" + relative
        guard Files.exists(path) else { throw TestError("\(path) is missing") }
        return path
    }

    /// OpenSC's pkcs11-spy, wherever the distribution puts it.
    static func spy() throws -> String { try library("pkcs11-spy.so", package: "opensc") }

    /// A PKCS#11 module, wherever the distribution puts it.
    static func library(_ library: String, package: String) throws -> String {
        let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"]
        let nested = folders.flatMap { folder in ((try? Files.list(folder)) ?? []).map { "\(folder)/\($0)" } }
        for folder in folders + nested {
            for name in ["/" + library, "/pkcs11/" + library] where Files.exists(folder + name) {
                return folder + name
            }
        }
        throw TestError("\(library) is missing: install \(package)")
    }
}
