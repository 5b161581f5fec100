internal import Crypto
internal import Keyring

/// The PIN of this node's seals, and what stands between it and the TPM: a PIN that was refused once is never sent
/// again, by this process or by a later one, until its file changes. The TPM counts wrong ones, and locks itself.
final class ObjectPIN: Sendable {
    /// The longest auth value of an object with nameAlg SHA-256, in bytes.
    static let limit = 32

    let file: PINFile
    private let directory: String
    private let refused = RefusedPINs()
    private let log: Log

    init(_ file: PINFile, directory: String, log: Log) {
        self.file = file
        self.directory = directory
        self.log = log
    }

    /// Reads the PIN, to seal with it.
    ///
    /// - Throws: `pinSource`.
    func read() throws(TPMError) -> PIN {
        let pin: PIN
        do throws(PINFailure) {
            pin = try file.read()
        } catch {
            throw TPMError(error)
        }
        guard pin.secret.count <= ObjectPIN.limit else {
            throw TPMError(
                .pinSource, "PIN file: \(file.path) is longer than \(ObjectPIN.limit) bytes",
                hint: "a TPM takes no longer PIN")
        }
        return pin
    }

    /// Opens something by `attempt`, which shows the PIN to the TPM at most once.
    ///
    /// That the PIN goes out is durable before it does, and taken back when the TPM has answered: a process that is killed
    /// in between, or an answer that is lost, costs no second attempt at a wrong PIN. One command more than `attempt`.
    ///
    /// - Parameter until: how long another process that shows a PIN is waited for.
    /// - Throws: `pinSource`, `pinBlocked`, or what has nothing to do with the PIN.
    func open<R: ~Copyable>(
        under key: StorageKey, _ context: ESYSContext, until: ContinuousClock.Instant,
        _ attempt: (borrowing PIN) throws(TPMError) -> R
    ) throws(TPMError) -> R {
        let guardFile = self.guardFile(key)
        let lock: PINGuardFile.Lock
        do throws(PINFailure) {
            lock = try guardFile.lock(until: until)
        } catch {
            throw TPMError(error)
        }
        defer { lock.release() }
        let pin = try read()
        let state = try context.readState()
        try judge(pin, guardFile.read(), state, guardFile)
        // Written beforehand, so that a full disk costs this opening and not, with each restart, one attempt more.
        do throws(PINFailure) {
            try guardFile.announce(pin.identity, circumstances: PINCircumstances(state).text)
        } catch {
            throw TPMError(error)
        }
        do throws(TPMError) {
            let result = try attempt(pin)
            takeBack(guardFile)
            return result
        } catch {
            guard error.code == .pinBlocked else {
                // Without an answer the announcement stays in force.
                if !error.isUnanswered { takeBack(guardFile) }
                throw error
            }
            do throws(PINFailure) {
                try guardFile.write(pin.identity)
            } catch {
                log(.error, "\(error.message)")
            }
            refused.remember(pin.secret)
            throw TPMError(
                .pinBlocked, "\(error.message) (the TPM refused the PIN from \(file.path))", hint: hint,
                returnCode: error.returnCode)
        }
    }

    private func takeBack(_ guardFile: PINGuardFile) {
        do throws(PINFailure) {
            try guardFile.remove()
        } catch {
            // The next start asks the TPM whether the PIN was refused, and may have to ask the operator.
            log(.error, "\(error.message)", ("file", guardFile.path))
        }
    }

    /// What `doctor` says about it.
    func findings(under key: StorageKey?) -> [Finding] {
        let subject = "PIN file \(file.path)"
        do throws(TPMError) {
            _ = try read()
        } catch {
            return [Finding(.error, subject, error.message, hint: error.hint)]
        }
        guard let key else { return [Finding(.ok, subject, "readable")] }
        let file = guardFile(key)
        switch file.read() {
        case .absent: return [Finding(.ok, subject, "readable, and no PIN was refused")]
        case .refused: return [Finding(.warning, subject, "a PIN from it was refused", hint: hint)]
        case .unanswered:
            return [
                Finding(
                    .warning, subject, "a PIN from it was sent, and the TPM's answer was lost", hint: unansweredHint)
            ]
        case .unreadable(let problem):
            return [Finding(.error, "PIN guard", "\(file.path): \(problem)", hint: "remove it when the PIN is right")]
        }
    }

    /// - Throws: `pinBlocked` when the PIN must not be sent.
    private func judge(
        _ pin: borrowing PIN, _ content: PINGuardFile.Content, _ state: TPMState, _ file: PINGuardFile
    ) throws(TPMError) {
        switch content {
        case .absent: break
        case .refused(let identity):
            if identity == pin.identity { throw blocked("its PIN was refused before") }
        case .unanswered(let identity, let text):
            guard identity == pin.identity else { break }
            let now = PINCircumstances(state)
            let then = PINCircumstances(text: text)
            guard let then, then.excludeRefusal(now, interval: state.recoveryInterval) else {
                throw TPMError(
                    .pinBlocked,
                    "no PIN is sent to the TPM from \(self.file.path): it was sent before and the answer was lost; the TPM "
                        + "counts \(now.guesses) wrong guesses now"
                        + (then.map { ", and counted \($0.guesses) then" } ?? ""),
                    hint: unansweredHint)
            }
        case .unreadable(let problem):
            throw TPMError(
                .pinBlocked, "PIN guard \(file.path): \(problem)",
                hint: "make sure that \(self.file.path) holds the right PIN, then remove the guard's file")
        }
        if refused.contains(pin.secret) { throw blocked("it still holds a PIN that was refused before") }
    }

    private func blocked(_ why: String) -> TPMError {
        TPMError(.pinBlocked, "no PIN is sent to the TPM from \(file.path): \(why)", hint: hint)
    }

    private var hint: String {
        "correct the PIN in \(file.path); nothing is sent to the TPM until that file changes; to set a new PIN, run "
            + "trousseau reseal while another recipient has opened the keyring; if it is right, it was changed on its way "
            + "to the TPM: touch that file and restart the plugin"
    }

    private var unansweredHint: String {
        "whether it was refused cannot be told: make sure that \(file.path) holds the right PIN, then touch that file: "
            + "it is sent once more"
    }

    private func guardFile(_ key: StorageKey) -> PINGuardFile {
        PINGuardFile(directory: directory, kind: "tpm", device: "tpm", identity: key.name)
    }
}

extension TPMError {
    /// What a PIN's file or guard says.
    init(_ failure: PINFailure) {
        switch failure.code {
        case .source: self.init(.pinSource, failure.message, hint: failure.hint)
        case .blocked: self.init(.pinBlocked, failure.message, hint: failure.hint)
        case .busy: self.init(.pinBlocked, failure.message, hint: failure.hint, errorClass: .retry)
        case .memory: self.init(.pinSource, failure.message, hint: failure.hint, errorClass: .retry)
        }
    }

    /// Whether a PIN may have reached the TPM without an answer of the TPM's having come back.
    fileprivate var isUnanswered: Bool { command == .unseal && returnCode.layer != .tpm }
}
