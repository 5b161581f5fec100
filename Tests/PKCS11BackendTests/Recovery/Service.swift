internal import TestSupport

/// A driver in service over a shim: the key was made, a seal was opened, the pool has a session.
struct Service {
    let token: SoftToken
    let shim: PKCS11Shim
    let driver: Driver
    let seal: String
    /// The counters as they are now.
    private(set) var before: [String: Int] = [:]

    static func start(_ scope: TestScope) async throws -> Service {
        let token = try await SoftToken.make(scope)
        let shim = try PKCS11Shim(scope, over: token.module)
        try shim.calm()
        let driver = try await Driver.start(scope, token, shim: shim)
        _ = try await driver.ask("generate")
        let seal = try await driver.ask("seal", "seal")
        _ = try await driver.ask("unseal \(seal)", "opened")
        var service = Service(token: token, shim: shim, driver: driver, seal: seal)
        try service.mark()
        return service
    }

    /// The seal only, made by a process that has ended; `driver` has not asked for anything yet.
    static func beforeStart(_ scope: TestScope, _ script: [String]) async throws -> Service {
        let made = try await start(scope)
        try await made.driver.end()
        try made.shim.script(lines: script)
        let driver = try await Driver.start(scope, made.token, shim: made.shim)
        var service = Service(token: made.token, shim: made.shim, driver: driver, seal: made.seal)
        try service.mark()
        return service
    }

    /// Counts from here.
    mutating func mark() throws { before = try shim.counts() }

    /// How often a function was called since the mark.
    func calls(_ function: String) throws -> Int { try shim.count(function) - (before[function] ?? 0) }

    /// The answer to an unseal of the seal: `opened`, or the error's class.
    func unseal(within milliseconds: Int = 20_000) async throws -> String {
        let answer = try await driver.ask("within \(milliseconds) unseal \(seal)")
        for line in answer {
            if line.hasPrefix("opened ") { return "opened" }
            if line.hasPrefix("error ") { return String(line.dropFirst("error ".count)) }
        }
        throw TestError("no answer: \(answer)")
    }

    /// Unseals until it opens; whatever comes before has to be of the class `reopen` or `retry`.
    func recovers(within limit: Duration = .seconds(20)) async throws {
        try await eventually("the seal opens", within: limit) {
            let answer = try await unseal()
            guard answer == "opened" || answer.hasPrefix("reopen ") || answer.hasPrefix("retry ") else {
                throw TestError("on the way back: \(answer)")
            }
            return answer == "opened"
        }
    }
}
