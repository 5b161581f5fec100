internal import Crypto
internal import Keyring

/// Stands between every PIN and every C_Login: a PIN that was refused once is never sent again, by this process or by a
/// later one, until its source changes. A supervisor that restarts us would otherwise lock the token.
///
/// Three things hold a login back:
/// - the guard's file names the source as it is now (see `PINGuardFile`);
/// - the PIN equals one that this process saw refused (a file that was only touched);
/// - the token says that few attempts are left. CKF_USER_PIN_COUNT_LOW is accepted when the guard's file shows that the
///   refused PIN was ours and its source has changed since: that is the operator's correction, and worth one attempt.
///   It also covers a crash between a refused C_Login and the guard's file: no file, so no attempt.
final class PINGuard: Sendable {
    private let source: PINSource
    private let directory: String
    private let allowCountLow: Bool
    private let log: Log
    private let refusals = RefusedPINs()

    init(_ source: PINSource, directory: String, allowCountLow: Bool, log: Log) {
        self.source = source
        self.directory = directory
        self.allowCountLow = allowCountLow
        self.log = log
    }

    /// Whether a login may be tried now; sends nothing.
    func check(_ token: TokenInfo) throws(PKCS11Error) {
        _ = try judge(token, TokenPINGuard(directory: directory, tokenSerial: token.serial).read())
    }

    /// Whether a login now would send the PIN that the token accepted last; sends nothing.
    func wouldRepeat(_ token: TokenInfo) -> Bool {
        let content = TokenPINGuard(directory: directory, tokenSerial: token.serial).read()
        guard let pin = try? judge(token, content) else { return false }
        return AcceptedPINs.contains(pin.secret, tokenSerial: token.serial)
    }

    /// Logs in by `attempt`, which hands the PIN to C_Login exactly once.
    ///
    /// - Throws: `pinSource`, `pinBlocked`, or `call` for what has nothing to do with the PIN.
    func login(_ token: TokenInfo, _ attempt: (UnsafeRawBufferPointer) -> ReturnCode) throws(PKCS11Error) {
        let file = TokenPINGuard(directory: directory, tokenSerial: token.serial)
        try file.locked { () throws(PKCS11Error) in
            let content = file.read()
            let pin = try judge(token, content)
            // Written beforehand, so that a full disk costs this login and not, with each restart, one attempt more.
            try file.prepare(pin.identity)
            let code = pin.secret.withUnsafeBytes { attempt($0) }
            guard RecoveryLevel(code) == .pin else {
                file.discard()
                guard code == .ok || code == ReturnCode(CKRValue.userAlreadyLoggedIn) else {
                    throw PKCS11Error(call: "C_Login", code)
                }
                // Somebody else's login says nothing about this PIN.
                if code == .ok { AcceptedPINs.remember(pin.secret, tokenSerial: token.serial) }
                if content != .absent { try file.remove() }
                return
            }
            // Before anything else: the next process must know.
            let stored = Result { () throws(PKCS11Error) in try file.commit() }
            refusals.remember(pin.secret)
            if case .failure(let problem) = stored { log(.error, problem.description, ("token", token.label)) }
            throw refused(token, code)
        }
    }

    private func judge(_ token: TokenInfo, _ content: PINGuardFile.Content) throws(PKCS11Error) -> PIN {
        try checkFlags(token, content)
        let pin = try source.read()
        switch content {
        case .absent: break
        case .refused(let identity):
            if identity == pin.identity { throw blocked(token, "its PIN was refused before") }
        case .unanswered(let identity, _):
            if identity == pin.identity { throw blocked(token, "it was sent before, and the answer was lost") }
        case .unreadable(let problem):
            let path = TokenPINGuard(directory: directory, tokenSerial: token.serial).path
            throw PKCS11Error(
                .pinBlocked, "PIN guard \(path): \(problem)",
                hint: "make sure that \(source.name) holds the right PIN, then remove the guard's file", level: .pin)
        }
        if refusals.contains(pin.secret) { throw blocked(token, "it still holds a PIN that was refused before") }
        return pin
    }

    private func checkFlags(_ token: TokenInfo, _ content: PINGuardFile.Content) throws(PKCS11Error) {
        if token.has(.userPINLocked) {
            throw PKCS11Error(
                .pinBlocked, "token \"\(token.label)\": the PIN is locked (CKF_USER_PIN_LOCKED)",
                hint: "the security officer has to unlock it; nothing is sent to the token until then", level: .pin)
        }
        if token.has(.userPINFinalTry) {
            throw PKCS11Error(
                .pinBlocked, "token \"\(token.label)\": one attempt is left (CKF_USER_PIN_FINAL_TRY)",
                hint: "log in by hand with the right PIN (pkcs11-tool --login), which resets the count", level: .pin)
        }
        guard token.has(.userPINCountLow), !allowCountLow else { return }
        if case .refused = content { return }
        throw PKCS11Error(
            .pinBlocked, "token \"\(token.label)\": wrong PINs were tried (CKF_USER_PIN_COUNT_LOW)",
            hint: "log in by hand with the right PIN (pkcs11-tool --login), which resets the count, or set "
                + "allowPINCountLow",
            level: .pin)
    }

    private func blocked(_ token: TokenInfo, _ why: String) -> PKCS11Error {
        PKCS11Error(
            .pinBlocked, "no login to token \"\(token.label)\" with \(source.name): \(why)", hint: hint, level: .pin)
    }

    private func refused(_ token: TokenInfo, _ code: ReturnCode) -> PKCS11Error {
        PKCS11Error(
            .pinBlocked, "C_Login: \(code) (token \"\(token.label)\" refused the PIN from \(source.name))", hint: hint,
            level: .pin)
    }

    private var hint: String {
        switch source {
        case .file(let file): "correct the PIN in \(file.path); nothing is sent to the token until that file changes"
        case .inline: "put the right PIN into a file and name it by pinSource; nothing is sent to the token until then"
        }
    }
}
