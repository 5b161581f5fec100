internal import CP11Kit
internal import Keyring
internal import Synchronization

/// One token and one key on it, brought up when needed and made anew when lost.
///
/// Calls hold `lock` for reading; login and everything below it hold it for writing, so that no thread is in a call when
/// the module is finalized. All functions block; they run on `CallThreads`.
final class Token: Sendable {
    /// How far the token is up; each step needs the one before.
    enum Phase: Int, Sendable, Comparable {
        case down, initialized, loggedIn, ready

        static func < (a: Phase, b: Phase) -> Bool { a.rawValue < b.rawValue }
    }

    struct State {
        var phase = Phase.down
        /// Counts what was made anew: a failure of an older epoch has been dealt with.
        var epoch = 0
        var module: Module?
        var info: TokenInfo?
        var pool: SessionPool?
        var key: SealingKey?
        var backoff: ReopenBackoff
        var lastFailure: PKCS11Error?
        /// Whether the module was lost: then a round trip comes before anything else.
        var needsCanary = false
    }

    let configuration: CheckedConfiguration
    let pinGuard: PINGuard?
    let log: Log
    let lock = ReadWriteLock()
    let state: Mutex<State>

    init(_ configuration: CheckedConfiguration, log: Log, backoff: ReopenBackoff = ReopenBackoff()) {
        self.configuration = configuration
        self.log = log
        pinGuard = configuration.pin.map {
            PINGuard(
                $0, directory: configuration.guardDirectory, allowCountLow: configuration.allowPINCountLow, log: log)
        }
        state = Mutex(State(backoff: backoff))
    }

    /// A session with the key, lent for a call.
    struct Use {
        let session: Session
        let key: SealingKey
        let info: TokenInfo
    }

    /// Runs `body` with a session and the key; what was lost is made anew and `body` is run once more.
    func withKey<R>(_ body: (Use) throws(PKCS11Error) -> R) throws(PKCS11Error) -> R {
        var mayRetry = true
        while true {
            try raise(to: .ready)
            let (epoch, outcome) = attempt(body)
            switch outcome {
            case .success(let result):
                state.withLock { $0.backoff.succeeded() }
                return result
            case .failure(let error):
                let error = error.level == .generalError ? try verdict(on: error) : error
                switch error.level {
                case .request, .count, .pin, .generalError: throw error
                case .session: break
                case .handle, .module: lose(error, epoch: epoch)
                }
                guard mayRetry else { throw error }
                mayRetry = false
            }
        }
    }

    private func attempt<R>(_ body: (Use) throws(PKCS11Error) -> R) -> (Int, Result<R, PKCS11Error>) {
        var epoch = 0
        let outcome = Result { () throws(PKCS11Error) in
            try lock.reading { () throws(PKCS11Error) in
                let now = state.withLock { ($0.epoch, $0.pool, $0.key, $0.info) }
                epoch = now.0
                guard let pool = now.1, let key = now.2, let info = now.3 else {
                    // Lost again since `raise`: worth the one retry.
                    throw PKCS11Error(.call, "the token was lost", errorClass: .reopen, level: .session)
                }
                return try pool.withSession { (session) throws(PKCS11Error) in
                    try body(Use(session: session, key: key, info: info))
                }
            }
        }
        return (epoch, outcome)
    }

    /// CKR_GENERAL_ERROR: a round trip of our own tells whether the request or the module was at fault.
    private func verdict(on error: PKCS11Error) throws(PKCS11Error) -> PKCS11Error {
        let canary = attempt { (use) throws(PKCS11Error) in try Canary.roundTrip(use) }
        switch canary.1 {
        case .success: return PKCS11Error(error, level: .request, errorClass: .permanent)
        case .failure: return PKCS11Error(error, level: .module, errorClass: .reopen)
        }
    }

    /// Gives up what a failure of `epoch` has shown to be lost.
    private func lose(_ error: PKCS11Error, epoch: Int) {
        log(.warning, "\(configuration.name): \(error)")
        try? lock.writing { () throws(PKCS11Error) in
            guard state.withLock({ $0.epoch == epoch }) else { return }
            if error.level == .module { fall(error) } else { logOut() }
        }
    }

    /// Ends sessions and the module. Only when no other thread is in a call.
    func close() {
        try? lock.writing { () throws(PKCS11Error) in
            logOut()
            let module = state.withLock { state in
                state.phase = .down
                return state.module.take()
            }
            module?.finalize()
        }
    }
}

extension PKCS11Error {
    /// The same failure, judged anew.
    init(_ error: PKCS11Error, level: RecoveryLevel, errorClass: SealingError.Class) {
        self.init(error.code, error.message, hint: error.hint, errorClass: errorClass, level: level)
    }
}
