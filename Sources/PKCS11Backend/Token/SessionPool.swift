internal import CP11Kit
internal import Glibc
internal import Keyring
internal import Synchronization

/// The sessions of one login: an anchor that stays open, since closing the last session logs out, and a few more that
/// are lent for a call each. Made anew with each login.
final class SessionPool: Sendable {
    private struct State {
        var idle: [Session] = []
        var open = 0
        var cap: Int
        var anchorIsLent = false
        /// The anchor failed, and cannot be replaced without another login.
        var isSpent = false
    }

    private let module: Module
    private let slot: CK_SLOT_ID
    private let anchor: Session
    private let state: Mutex<State>

    /// Takes the session that is logged in as its anchor. `limit` is the token's own, anchor included; nil: none.
    init(anchor: Session, slot: CK_SLOT_ID, maximum: Int, limit: Int?) {
        self.anchor = anchor
        self.slot = slot
        module = anchor.module
        state = Mutex(State(cap: limit.map { min(maximum, max(0, $0 - 1)) } ?? maximum))
    }

    /// Lends a session to `body`. It comes back unless a failure says something about the session itself.
    func withSession<R>(_ body: (Session) throws(PKCS11Error) -> R) throws(PKCS11Error) -> R {
        let session = try borrow()
        do throws(PKCS11Error) {
            let result = try body(session)
            giveBack(session)
            return result
        } catch {
            if error.level == .request && !session.isUnsettled { giveBack(session) } else { discard(session) }
            throw error
        }
    }

    /// Whether only another login makes a session that works.
    var isSpent: Bool { state.withLock { $0.isSpent } }

    /// Closes those that are not lent; the anchor stays.
    func closeIdle() {
        let idle = state.withLock { state in
            defer { state.idle = [] }
            state.open -= state.idle.count
            return state.idle
        }
        for session in idle { session.close() }
    }

    /// Closes all; only when none is lent, and while the module is initialized.
    func close() {
        let idle = state.withLock { state in
            defer { state.idle = [] }
            return state.idle
        }
        for session in idle { session.close() }
        anchor.close()
    }

    private enum Choice { case session(Session), openOne, wait }

    private func borrow() throws(PKCS11Error) -> Session {
        // At most a second of 10 ms: this thread has nothing else to do, and sessions come back within milliseconds.
        for _ in 0..<100 {
            let choice = state.withLock { state -> Choice in
                if let session = state.idle.popLast() { return .session(session) }
                if state.open < state.cap {
                    state.open += 1
                    return .openOne
                }
                if state.cap == 0 && !state.anchorIsLent {
                    state.anchorIsLent = true
                    return .session(anchor)
                }
                return .wait
            }
            switch choice {
            case .session(let session): return session
            case .openOne:
                do throws(PKCS11Error) {
                    return try Session(module, slot: slot)
                } catch {
                    state.withLock { state in
                        state.open -= 1
                        if error.level == .count { state.cap = min(state.cap, state.open) }
                    }
                    guard error.level == .count else { throw error }
                }
            case .wait: usleep(10_000)
            }
        }
        throw PKCS11Error(call: "C_OpenSession", ReturnCode(CKRValue.sessionCount))
    }

    private func giveBack(_ session: Session) {
        state.withLock { state in
            if session === anchor { state.anchorIsLent = false } else { state.idle.append(session) }
        }
    }

    private func discard(_ session: Session) {
        guard session !== anchor else {
            state.withLock { $0.isSpent = true }
            return giveBack(session)
        }
        session.close()
        state.withLock { $0.open -= 1 }
    }
}
