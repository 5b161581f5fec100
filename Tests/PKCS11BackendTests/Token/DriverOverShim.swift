internal import TestSupport

extension Driver {
    /// Starts it over a shim. Backoff ends after 50 ms.
    static func start(
        _ scope: TestScope, _ token: SoftToken, shim: PKCS11Shim, uri: String? = nil, pin: String? = nil,
        environment extra: [String: String] = [:]
    ) async throws -> Driver {
        let environment = shim.environment.merging(["DRIVER_MODULE": shim.module, "DRIVER_BACKOFF": "50"]) { $1 }
        return try await start(
            scope, token, uri: uri, pin: pin, environment: environment.merging(extra) { $1 })
    }

    /// Asks again and again until the answer has a line that begins with `word`; for recovery with backoff.
    func eventually(_ command: String, _ word: String, within limit: Duration = .seconds(20)) async throws {
        try await TestSupport.eventually("\(command) answers \(word)", within: limit) {
            try await ask(command).contains { $0.hasPrefix(word) }
        }
    }
}
