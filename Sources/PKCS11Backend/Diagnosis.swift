internal import Keyring
internal import Synchronization

/// Everything that `doctor` can check about a token, in the order in which a start needs it; stops where the next check
/// cannot be made. A login goes through the PIN guard as any other.
enum Diagnosis {
    static func run(_ token: Token) -> [Finding] {
        var findings: [Finding] = []
        let configuration = token.configuration
        if let pin = configuration.pin {
            findings.append(
                check("PIN source \(pin.name)", "readable") { () throws(PKCS11Error) in _ = try pin.read() })
        }
        let found = check("module \(configuration.modulePath)", "loaded, and the token is there") {
            () throws(PKCS11Error) in try token.raise(to: .initialized)
        }
        findings.append(found)
        guard found.severity == .ok, let info = token.state.withLock({ $0.info }) else { return findings }
        findings.append(
            Finding(.ok, "token \(info.name)", "\(info.manufacturer), \(info.model), slot \(info.slot)"))
        findings += flags(info)
        findings += guardState(configuration, info)

        let login = check("login", "logged in") { () throws(PKCS11Error) in try token.raise(to: .loggedIn) }
        findings.append(login)
        guard login.severity == .ok else { return findings }
        let ready = check("key", "found, its attributes protect it") { () throws(PKCS11Error) in
            try token.raise(to: .ready)
        }
        findings.append(ready)
        guard ready.severity == .ok, let key = token.state.withLock({ $0.key }) else { return findings }
        for reason in key.check.unsafe {
            findings.append(
                Finding(.warning, "key \(key.name)", reason, hint: "allowUnsafeKey is set: make a better key soon"))
        }
        for reason in key.check.warnings {
            findings.append(
                Finding(.warning, "key \(key.name)", reason, hint: "make a key with init --generate-keys"))
        }
        return findings + mechanisms(token)
    }

    /// What the key can do on this token, a line a mechanism: the chosen one, and why not the others.
    private static func mechanisms(_ token: Token) -> [Finding] {
        var verdicts: [MechanismChoice.Verdict] = []
        let chosen = check("mechanism", "chosen, and two round trips passed") { () throws(PKCS11Error) in
            try token.withKey { (use) throws(PKCS11Error) in
                let choice = try token.choose(use)
                verdicts = choice.verdicts
                _ = try choice.chosen(for: use.key)
            }
        }
        return [chosen] + verdicts.map { Finding(.ok, "mechanism \($0.mechanism.name)", $0.reason) }
    }

    private static func flags(_ info: TokenInfo) -> [Finding] {
        let table: [(TokenFlag, Finding.Severity, String, String)] = [
            (.userPINLocked, .error, "the PIN is locked", "the security officer has to unlock it"),
            (.userPINFinalTry, .error, "one attempt is left", "log in by hand with the right PIN"),
            (.userPINCountLow, .warning, "wrong PINs were tried", "log in by hand with the right PIN"),
            (.userPINToBeChanged, .warning, "the token wants its PIN changed", "change it with the HSM's tools"),
        ]
        return table.filter { info.has($0.0) }.map { Finding($0.1, "token \(info.name)", $0.2, hint: $0.3) }
    }

    private static func guardState(_ configuration: CheckedConfiguration, _ info: TokenInfo) -> [Finding] {
        guard let pin = configuration.pin else { return [] }
        let file = TokenPINGuard(directory: configuration.guardDirectory, tokenSerial: info.serial)
        switch file.read() {
        case .absent: return [Finding(.ok, "PIN guard", "no PIN was refused")]
        case .refused:
            return [
                Finding(
                    .warning, "PIN guard", "a PIN from \(pin.name) was refused",
                    hint: "correct the PIN in \(pin.name); nothing is sent to the token until it changes")
            ]
        case .unanswered:
            return [
                Finding(
                    .warning, "PIN guard", "a PIN from \(pin.name) was sent, and the answer was lost",
                    hint: "make sure that \(pin.name) holds the right PIN, then touch that file")
            ]
        case .unreadable(let problem):
            return [Finding(.error, "PIN guard", "\(file.path): \(problem)", hint: "remove it when the PIN is right")]
        }
    }

    private static func check(
        _ subject: String, _ success: String, _ body: () throws(PKCS11Error) -> Void
    ) -> Finding {
        do throws(PKCS11Error) {
            try body()
            return Finding(.ok, subject, success)
        } catch {
            return Finding(.error, subject, error.message, hint: error.hint)
        }
    }
}
