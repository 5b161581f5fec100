internal import CP11Kit
internal import Keyring
internal import Synchronization

/// One token and one key on it, brought up when needed and made anew when lost.
///
/// Calls hold `lock` for reading; login and everything below it hold it for writing, so that no thread is in a call when
/// the module is finalized. Another token of the same library may have that made anew between any two calls (`Library`).
/// All functions block; they run on `ModuleCalls`.
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
        /// How often it did not come up since it was ready; then the library is made anew for all of its tokens.
        var failedClimbs = 0
        /// How the key seals, found by a probe; survives the module.
        var choice: KeyChoice?
    }

    /// A mechanism, and the key that it was chosen for.
    struct KeyChoice {
        let tokenSerial: String
        let keyID: [UInt8]
        let mechanism: any SealingMechanism
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

    /// Runs `body` with a session and the key; what was lost is made anew and `body` is run once more, for each level
    /// once: that a session is gone is how a lost login or module often shows itself first.
    func withKey<R>(_ body: (Use) throws(PKCS11Error) -> R) throws(PKCS11Error) -> R {
        var retried: Set<RecoveryLevel> = []
        while true {
            try raise(to: .ready)
            let (epoch, outcome) = attempt(body)
            switch outcome {
            case .success(let result):
                state.withLock { $0.backoff.succeeded() }
                return result
            case .failure(let error):
                let mayBeHiccup = error.level == .generalError
                let error = mayBeHiccup ? try verdict(on: error) : error
                let isFirst = retried.insert(error.level).inserted
                switch error.level {
                case .request where mayBeHiccup && isFirst: continue
                case .request, .count, .pin, .generalError: throw error
                // Sessions end together more often than alone.
                case .session:
                    let (pool, module) = state.withLock { ($0.pool, $0.module) }
                    _ = try? module?.calling { () throws(PKCS11Error) in pool?.closeIdle() }
                    if pool?.isSpent ?? false { lose(PKCS11Error(error, level: .handle), epoch: epoch) }
                case .handle, .module: lose(error, epoch: epoch)
                }
                guard isFirst else { throw error }
            }
        }
    }

    /// How the key seals: probed once a process, unless `choose` was called before.
    func mechanism(_ use: Use) throws(PKCS11Error) -> any SealingMechanism {
        let known = state.withLock { $0.choice }
        if let known, known.tokenSerial == use.info.serial, known.keyID == use.key.id { return known.mechanism }
        return try choose(use).chosen(for: use.key)
    }

    /// Probes the mechanisms, and remembers which one is to be used.
    func choose(_ use: Use) throws(PKCS11Error) -> MechanismChoice {
        let choice = try MechanismChoice(
            use.session, use.info.slot, use.key, allowSHA1OAEP: configuration.allowSHA1OAEP)
        let mechanism = choice.verdicts.first { $0.isChosen }?.mechanism
        let found = mechanism.map { KeyChoice(tokenSerial: use.info.serial, keyID: use.key.id, mechanism: $0) }
        state.withLock { $0.choice = found }
        return choice
    }

    private func attempt<R>(_ body: (Use) throws(PKCS11Error) -> R) -> (Int, Result<R, PKCS11Error>) {
        var epoch = 0
        let outcome = Result { () throws(PKCS11Error) in
            try lock.reading { () throws(PKCS11Error) in
                let now = state.withLock { $0 }
                epoch = now.epoch
                // Lost again since `raise`: worth the one retry.
                let lost = PKCS11Error(.call, "the token was lost", errorClass: .reopen, level: .session)
                guard let module = now.module, let pool = now.pool, let key = now.key, let info = now.info else {
                    throw lost
                }
                let result = try module.calling { () throws(PKCS11Error) in
                    try pool.withSession { (session) throws(PKCS11Error) in
                        try body(Use(session: session, key: key, info: info))
                    }
                }
                guard let result else { throw lost }
                return result
            }
        }
        return (epoch, outcome)
    }

    /// CKR_GENERAL_ERROR: a round trip of our own tells whether the request or the module was at fault. The request is
    /// made once more before it is blamed: its seal may be all that a cluster has.
    private func verdict(on error: PKCS11Error) throws(PKCS11Error) -> PKCS11Error {
        let canary = attempt { (use) throws(PKCS11Error) in try Canary.roundTrip(use, by: mechanism(use)) }
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
    /// The same failure, judged anew; what is not given stays.
    init(_ error: PKCS11Error, level: RecoveryLevel? = nil, errorClass: SealingError.Class? = nil) {
        self.init(
            error.code, error.message, hint: error.hint, errorClass: errorClass ?? error.errorClass,
            level: level ?? error.level)
    }
}
