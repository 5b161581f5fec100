internal import TestSupport
internal import Testing

/// SoftHSM looks for tokens at C_Initialize only, which comes when all users of its library have given it up, unless one
/// of them makes it anew for all.
@Suite("two tokens of one module")
struct TwoTokensTests {
    @Test("one is moved away and put back while the other serves: it comes back, and the other one loses no request")
    func awayAndBack() async throws {
        try await TestScope.with { scope in
            let tokens = try await TwoTokens.start(scope)
            let driver = tokens.driver
            try tokens.away()
            try await driver.eventually("probe", "error reopen ")
            // Some attempts find nothing, and take the library from the other one each time.
            let before = try tokens.shim.counts()
            try await eventually("the library was made anew three times", within: .seconds(30)) {
                try await tokens.otherOpens()
                #expect(try await driver.ask("unseal \(tokens.seal)", "error").hasPrefix("reopen "))
                return try tokens.shim.count("C_Initialize") >= (before["C_Initialize"] ?? 0) + 3
            }
            try tokens.back()
            try await eventually("it is back", within: .seconds(30)) {
                try await tokens.otherOpens()
                return try await driver.ask("unseal \(tokens.seal)").contains { $0.hasPrefix("opened ") }
            }
            for _ in 0..<20 {
                _ = try await driver.ask("unseal \(tokens.seal)", "opened")
                try await tokens.otherOpens()
            }
            try await tokens.expectNoAttemptWasBurnt()
            // Once both are well, nothing is made anew any more.
            let initialized = try tokens.shim.count("C_Initialize")
            for _ in 0..<20 {
                #expect(try await driver.ask("probe").contains("well"))
                #expect(try await driver.ask("second probe").contains("well"))
            }
            #expect(try tokens.shim.count("C_Initialize") == initialized)
            #expect(try await driver.ask("shutdown").contains("ended"))
            #expect(try await driver.ask("second shutdown").contains("ended"))
            #expect(try tokens.shim.count("open-sessions") == 0)
        }
    }

    @Test("one that was not there at the start is found later")
    func absentAtStart() async throws {
        try await TestScope.with { scope in
            var tokens = try await TwoTokens.start(scope)
            try await tokens.driver.end()
            try tokens.away()
            try await tokens.restart()
            try await tokens.otherOpens()
            #expect(try await tokens.driver.ask("unseal \(tokens.seal)", "error").hasPrefix("reopen token \"test\""))
            try tokens.back()
            try await tokens.driver.eventually("unseal \(tokens.seal)", "opened")
            try await tokens.otherOpens()
            try await tokens.expectNoAttemptWasBurnt()
        }
    }

    @Test("the other one's PIN file holds another PIN since its login: it is left alone, and no login is made")
    func changedPIN() async throws {
        try await TestScope.with { scope in
            let tokens = try await TwoTokens.start(scope)
            let right = try Files.read(tokens.other.pinFile)
            try tokens.away()
            try await tokens.driver.eventually("probe", "error reopen ")
            try Files.write("wrong-4711", to: tokens.other.pinFile)
            try await tokens.otherOpens()
            try tokens.back()
            let before = try tokens.shim.counts()
            try await eventually("it says why it is not back", within: .seconds(20)) {
                try await tokens.driver.ask("unseal \(tokens.seal)").contains {
                    $0.contains("second could not log in again")
                }
            }
            try await tokens.otherOpens()
            for function in ["C_Login", "C_Finalize"] {
                #expect(try tokens.shim.count(function) == before[function] ?? 0, "\(function)")
            }
            // The same PIN in a file that was written anew is no other one.
            try Files.write(right, to: tokens.other.pinFile)
            try await tokens.driver.eventually("unseal \(tokens.seal)", "opened")
            try await tokens.otherOpens()
            try await tokens.expectNoAttemptWasBurnt()
        }
    }

    @Test("the other token is used by two backends, of which only one has logged in: they both come back")
    func sharedOther() async throws {
        try await TestScope.with { scope in
            let tokens = try await TwoTokens.start(scope, third: "pkcs11:token=other;object=third")
            let third = try await tokens.driver.ask("third seal", "seal")
            try tokens.away()
            try await tokens.driver.eventually("probe", "error reopen ")
            try tokens.back()
            try await tokens.driver.eventually("unseal \(tokens.seal)", "opened")
            try await tokens.otherOpens()
            _ = try await tokens.driver.ask("within 3000 third unseal \(third)", "opened")
            try await tokens.expectNoAttemptWasBurnt()
        }
    }

    @Test("a call of the other one does not return: the library is not taken from under it, and nobody waits for long")
    func hanging() async throws {
        try await TestScope.with { scope in
            let tokens = try await TwoTokens.start(scope)
            try tokens.away()
            try await tokens.driver.eventually("probe", "error reopen ")
            try tokens.shim.script("at C_Decrypt 1 hang")
            #expect(
                try await tokens.driver.ask("within 300 second unseal \(tokens.otherSeal)", "error").hasPrefix("retry ")
            )
            try await eventually("the call hangs", within: .seconds(20)) { try tokens.shim.count("hanging") == 1 }
            let finalized = try tokens.shim.count("C_Finalize")
            try await eventually("it says why it is not back", within: .seconds(30)) {
                try await tokens.driver.ask("unseal \(tokens.seal)").contains {
                    $0.contains("another call to the module does not return")
                }
            }
            // A second call of the other one waits for the attempt at most, which ends after a second.
            _ = try await tokens.driver.ask("within 5000 second unseal \(tokens.otherSeal)", "opened")
            #expect(try tokens.shim.count("C_Finalize") == finalized)
            try tokens.back()
            try tokens.shim.calm()
            try await tokens.driver.eventually("unseal \(tokens.seal)", "opened")
            try await tokens.otherOpens()
        }
    }
}

/// A driver with a backend for each of two tokens of one store, over a shim that counts.
private struct TwoTokens {
    let scope: TestScope
    let token: SoftToken
    let other: SoftToken
    let shim: PKCS11Shim
    private(set) var driver: Driver
    private(set) var seal = ""
    private(set) var otherSeal = ""
    private let folder: String

    /// - Parameter third: another key on the other token.
    static func start(_ scope: TestScope, third: String? = nil) async throws -> TwoTokens {
        let token = try await SoftToken.make(scope)
        let folder = try #require(try Files.list(token.folder).first)
        let other = try await SoftToken.make(scope, label: "other")
        let shim = try PKCS11Shim(scope, over: token.module)
        try shim.calm()
        var tokens = TwoTokens(
            scope: scope, token: token, other: other, shim: shim,
            driver: try await drive(scope, token, other, shim, third: third), folder: folder)
        _ = try await tokens.driver.ask("generate", "recipient")
        _ = try await tokens.driver.ask("second generate", "recipient")
        if third != nil { _ = try await tokens.driver.ask("third generate", "recipient") }
        tokens.seal = try await tokens.driver.ask("seal", "seal")
        tokens.otherSeal = try await tokens.driver.ask("second seal", "seal")
        #expect(try shim.count("C_Initialize") == 1)
        return tokens
    }

    private init(
        scope: TestScope, token: SoftToken, other: SoftToken, shim: PKCS11Shim, driver: Driver, folder: String
    ) {
        self.scope = scope
        self.token = token
        self.other = other
        self.shim = shim
        self.driver = driver
        self.folder = folder
    }

    private static func drive(
        _ scope: TestScope, _ token: SoftToken, _ other: SoftToken, _ shim: PKCS11Shim, third: String? = nil
    ) async throws -> Driver {
        var environment = [
            "DRIVER_SECOND_KEY": other.uri, "DRIVER_SECOND_PIN": other.pinFile,
        ]
        if let third { environment.merge(["DRIVER_THIRD_KEY": third, "DRIVER_THIRD_PIN": other.pinFile]) { $1 } }
        return try await Driver.start(scope, token, shim: shim, environment: environment)
    }

    mutating func restart() async throws {
        driver = try await TwoTokens.drive(scope, token, other, shim)
    }

    func away() throws { try Files.move("\(token.folder)/\(folder)", to: scope.path("away")) }
    func back() throws { try Files.move(scope.path("away"), to: "\(token.folder)/\(folder)") }

    /// The other token's seal opens well before any deadline.
    func otherOpens() async throws {
        _ = try await driver.ask("within 3000 second unseal \(otherSeal)", "opened")
    }

    /// SoftHSM counts low after a single wrong PIN.
    func expectNoAttemptWasBurnt() async throws {
        for backend in ["", "second "] {
            let findings = try await driver.ask("\(backend)diagnose")
            #expect(!findings.contains { $0.contains("wrong PINs were tried") }, "\(findings)")
        }
        #expect(try Files.list(scope.path("guard")).allSatisfy { !$0.hasSuffix(".refused") })
    }
}
