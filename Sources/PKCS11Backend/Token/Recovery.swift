internal import CP11Kit
internal import Glibc
internal import Keyring
internal import Synchronization

/// The way up, step by step, and the way down. All under the write lock.
extension Token {
    /// Brings the token up as far as `phase`.
    ///
    /// - Throws: why not; within the backoff's time, the last failure without another try.
    func raise(to phase: Phase) throws(PKCS11Error) {
        if state.withLock({ $0.phase >= phase && $0.module?.isInitialized ?? false }) { return }
        try lock.writing { () throws(PKCS11Error) in try climb(to: phase) }
    }

    /// Makes the key that the URI names, unless it exists: looked for under a lock that other processes share, and found
    /// again by `raise(to: .ready)` as any other key.
    ///
    /// - Returns: whether a key was made.
    func generateKeyIfMissing() throws(PKCS11Error) -> Bool {
        try lock.writing { () throws(PKCS11Error) in
            do throws(PKCS11Error) {
                return try generateKey()
            } catch  where error.level.wantsAnew {
                // Another token may be in the place of the one that is known: once more, from the beginning.
                fall(error)
                return try generateKey()
            }
        }
    }

    private func generateKey() throws(PKCS11Error) -> Bool {
        while true {
            try climb(to: .loggedIn)
            let (module, info) = state.withLock { ($0.module, $0.info) }
            guard let module, let info else { return false }
            let file = TokenPINGuard(directory: configuration.guardDirectory, tokenSerial: info.serial)
            let isMade = try file.locked { () throws(PKCS11Error) in
                try module.calling { () throws(PKCS11Error) in
                    let session = try Session(module, slot: info.slot, writable: true)
                    defer { session.close() }
                    guard try session.findKey(configuration.uri) == nil else { return false }
                    try session.generateKey(configuration.uri)
                    return true
                }
            }
            // Else the library was made anew for another token.
            if let isMade { return isMade }
        }
    }

    func climb(to phase: Phase) throws(PKCS11Error) {
        do throws(PKCS11Error) {
            while true {
                relinquish()
                let now = state.withLock { $0.phase }
                guard now < phase else { return }
                switch now {
                case .down: try initialize()
                case .initialized: try inModule { (module, slot) throws(PKCS11Error) in try logIn(module, slot) }
                case .loggedIn, .ready:
                    try inModule { (module, slot) throws(PKCS11Error) in try findKey(module, slot) }
                }
            }
        } catch {
            // On the way up nothing was said about anybody's seal.
            let error = error.errorClass == .permanent ? PKCS11Error(error, errorClass: .reopen) : error
            state.withLock { $0.lastFailure = error }
            if error.level.wantsAnew {
                state.withLock { $0.failedClimbs += 1 }
                fall(error)
            }
            throw error
        }
    }

    private func initialize() throws(PKCS11Error) {
        let (wait, last) = state.withLock { ($0.backoff.remaining(), $0.lastFailure) }
        if let wait {
            let seconds = wait.components.seconds + 1
            throw PKCS11Error(
                last?.code ?? .call, "\(last?.message ?? "the token was lost") (tried again in \(seconds) s)",
                hint: last?.hint, errorClass: last?.errorClass ?? .reopen, level: .request)
        }
        let module = try state.withLock { (state) throws(PKCS11Error) -> Module in
            state.backoff.attempted()
            if let module = state.module { return module }
            let module = try Module(path: configuration.modulePath)
            state.module = module
            return module
        }
        module.finalize(isLost: true)
        let info = try start(module)
        state.withLock { state in
            state.info = info
            state.epoch += 1
            state.phase = .initialized
        }
    }

    /// Once without disturbing the library's other users, then from its beginning: what was lost, or was not there, may
    /// be seen only by another C_Initialize.
    private func start(_ module: Module) throws(PKCS11Error) -> TokenInfo {
        let obstacle: @Sendable () -> String? = { [weak self] in self?.obstacleToLogin }
        let failed = state.withLock { $0.failedClimbs }
        var refusal: String?
        if failed == 0 {
            try module.initialize(obstacle: obstacle)
        } else {
            refusal = try module.renew(obstacle: obstacle)
        }
        do throws(PKCS11Error) {
            let found = try module.calling { () throws(PKCS11Error) in try module.selectToken(configuration.uri) }
            // Taken by another token in between.
            guard let found else { return try start(module) }
            return found
        } catch {
            guard let refusal else { throw error }
            throw PKCS11Error(
                error.code, "\(error.message); \(configuration.modulePath) was not made anew: \(refusal)",
                hint: error.hint, errorClass: error.errorClass, level: error.level)
        }
    }

    /// Why the token, if its login ended now, would not come back by itself: only a PIN that it has accepted may be sent
    /// for another token's sake. Asked by another token's thread, while nobody else is in the library.
    private var obstacleToLogin: String? {
        let (phase, module, info) = state.withLock { ($0.phase, $0.module, $0.info) }
        guard phase > .initialized, let module, let info else { return nil }
        // One that does not answer has nothing to lose.
        guard let now = try? module.token(in: info.slot), now.has(.loginRequired) else { return nil }
        guard let pinGuard else { return "\(configuration.name) logs in at the token's own keypad" }
        return pinGuard.wouldRepeat(now)
            ? nil : "\(configuration.name) could not log in again with the PIN that its token has accepted"
    }

    private func logIn(_ module: Module, _ slot: CK_SLOT_ID) throws(PKCS11Error) {
        // Flags as they are now, and whether it still is the same token.
        let info = try module.token(in: slot)
        guard info.matches(configuration.uri) else {
            throw PKCS11Error(call: "C_GetTokenInfo", ReturnCode(CK_RV(CKR_TOKEN_NOT_PRESENT)))
        }
        // Before a session is opened: a blocked PIN should cost the token nothing.
        try pinGuard?.check(info)
        let session = try firstSession(module, slot)
        do throws(PKCS11Error) {
            try logIn(session, info)
        } catch {
            session.close()
            throw error
        }
        let pool = SessionPool(
            anchor: session, slot: slot, maximum: configuration.maxSessions, limit: info.sessionLimit)
        state.withLock { state in
            state.info = info
            state.pool = pool
            state.phase = .loggedIn
        }
    }

    /// Other programs may hold all of the token's sessions for a moment: asks for at most a second.
    private func firstSession(_ module: Module, _ slot: CK_SLOT_ID) throws(PKCS11Error) -> Session {
        for _ in 0..<100 {
            do throws(PKCS11Error) {
                return try Session(module, slot: slot)
            } catch  where error.level == .count {
                usleep(10_000)
            }
        }
        return try Session(module, slot: slot)
    }

    private func logIn(_ session: Session, _ info: TokenInfo) throws(PKCS11Error) {
        guard info.has(.loginRequired) else { return }
        if let pinGuard {
            try pinGuard.login(info) { session.login($0) }
            return
        }
        guard info.has(.protectedAuthenticationPath) else {
            throw PKCS11Error(
                .pinSource, "token \"\(info.label)\" wants a PIN, and no pinSource is configured",
                hint: "write the PIN into a file of mode 0600 and name it by pinSource")
        }
        let code = session.login(nil)
        guard code == .ok || code == ReturnCode(CKRValue.userAlreadyLoggedIn) else {
            throw PKCS11Error(call: "C_Login", code)
        }
    }

    private func findKey(_ module: Module, _ slot: CK_SLOT_ID) throws(PKCS11Error) {
        guard let pool = state.withLock({ $0.pool }) else { throw Token.lost }
        let info = try module.token(in: slot)
        let found = try pool.withSession { (session) throws(PKCS11Error) in try session.findKey(configuration.uri) }
        guard let key = found else {
            throw PKCS11Error(
                .notFound, "no key on token \(info.name) fits the URI",
                hint: "make it with init --generate-keys, or correct the URI")
        }
        guard !key.id.isEmpty else {
            throw PKCS11Error(
                .keyRefused, "key \(key.name) has no CKA_ID, by which seals know it",
                hint: "give it one with the HSM's tools (pkcs11-tool --set-id)")
        }
        try key.check.enforce(key.name, allowUnsafe: configuration.allowUnsafeKey)
        for warning in key.check.warnings + key.check.unsafe {
            log(.warning, "\(configuration.name): key \(key.name): \(warning)")
        }
        if state.withLock({ $0.needsCanary }) {
            try pool.withSession { (session) throws(PKCS11Error) in
                do throws(PKCS11Error) {
                    let use = Use(session: session, key: key, info: info)
                    try Canary.roundTrip(use, by: mechanism(use))
                } catch {
                    // Whatever it was: the module is not back.
                    throw PKCS11Error(error, level: .module, errorClass: .reopen)
                }
            }
        }
        state.withLock { state in
            state.key = key
            state.phase = .ready
            state.needsCanary = false
            state.failedClimbs = 0
            state.lastFailure = nil
        }
    }

    /// Closes all sessions: the login ends with them, and handles of private keys with the login.
    func logOut() {
        let (pool, module) = state.withLock { state in
            state.epoch += 1
            state.key = nil
            if state.phase > .initialized { state.phase = .initialized }
            return (state.pool.take(), state.module)
        }
        close(pool, module)
    }

    /// The module is to be made anew.
    func fall(_ error: PKCS11Error) {
        let (module, pool) = state.withLock { state in
            state.lastFailure = error
            return state.drop()
        }
        // C_Finalize may fail as well, and its sessions would stay.
        close(pool, module)
        module?.finalize(isLost: true)
    }

    /// What another token has taken is let go of: no fault of this one, which comes back at once.
    private func relinquish() {
        let isTaken = state.withLock { state in
            guard state.phase > .down, let module = state.module, !module.isInitialized else { return false }
            _ = state.drop()
            state.backoff.excused()
            return true
        }
        if isTaken {
            log(.debug, "\(configuration.name): the module was made anew for another of its tokens; logging in again")
        }
    }

    /// Not the sessions of a library that was made anew: their numbers may be another's by now.
    private func close(_ pool: SessionPool?, _ module: Module?) {
        _ = try? module?.calling { () throws(PKCS11Error) in pool?.close() }
    }

    /// Runs a step of the way up; one that finds the library taken is left to `relinquish`.
    private func inModule(_ step: (Module, CK_SLOT_ID) throws(PKCS11Error) -> Void) throws(PKCS11Error) {
        let (module, info) = state.withLock { ($0.module, $0.info) }
        guard let module, let info else { throw Token.lost }
        _ = try module.calling { () throws(PKCS11Error) in try step(module, info.slot) }
    }

    private static let lost = PKCS11Error(.call, "the token was lost", errorClass: .reopen, level: .module)
}

extension Token.State {
    /// Back to the beginning.
    fileprivate mutating func drop() -> (Module?, SessionPool?) {
        epoch += 1
        key = nil
        needsCanary = true
        phase = .down
        return (module, pool.take())
    }
}
