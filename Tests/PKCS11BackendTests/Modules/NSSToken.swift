internal import TestSupport

/// A key database of NSS, whose softoken is a PKCS#11 module: the only one of Debian's that does AES key wrap by
/// C_Encrypt and OAEP with SHA-256. Loaded through the shim, which hands it the parameters that it wants.
struct NSSToken {
    let shim: PKCS11Shim
    let environment: [String: String]
    private let pinFile: String

    static func make(_ scope: TestScope) async throws -> NSSToken {
        let folder = scope.path("nss")
        try Files.makeDirectory(folder)
        if !Files.exists(scope.path("guard")) { try Files.makeDirectory(scope.path("guard")) }
        let pinFile = scope.path("nss.pin")
        try Files.write("nss-test-pin-1", to: pinFile)
        let made = try await ChildProcess.run("certutil", ["-N", "-d", "sql:\(folder)", "-f", pinFile])
        guard made.succeeded else { throw TestError("certutil (libnss3-tools): \(made.text)") }
        let shim = try PKCS11Shim(
            scope, over: try PKCS11Library.path("libsoftokn3.so", package: "libnss3"), name: "nss-shim")
        try shim.calm()
        let parameters = "configdir='sql:\(folder)' certPrefix='' keyPrefix='' secmod='' flags="
        return NSSToken(
            shim: shim, environment: shim.environment.merging(["PKCS11SHIM_PARAMETERS": parameters]) { $1 },
            pinFile: pinFile)
    }

    /// pkcs11-tool, logged in.
    func tool(_ arguments: [String]) async throws {
        let pin = try Files.readText(pinFile)
        let result = try await ChildProcess.run(
            "pkcs11-tool",
            ["--module", shim.module, "--token-label", "NSS Certificate DB", "--login", "--pin", "env:PIN"] + arguments,
            environment: environment.merging(["PIN": pin]) { $1 })
        guard result.succeeded else { throw TestError("pkcs11-tool \(arguments): \(result.text)") }
    }

    func driver(_ scope: TestScope, _ extra: [String: String] = [:]) async throws -> Driver {
        let own = [
            "DRIVER_KEY": "pkcs11:token=NSS%20Certificate%20DB;object=kek-sealer", "DRIVER_PIN": pinFile,
            "DRIVER_GUARD": scope.path("guard"), "DRIVER_BACKOFF": "50", "DRIVER_MODULE": shim.module,
        ]
        return try await Driver.start(scope, environment.merging(own) { $1 }.merging(extra) { $1 })
    }
}
