import Keyring
import Synchronization

/// The states that a service went through.
final class PhaseRecorder: Sendable {
    private struct State {
        var all: [KeyringState] = []
        var watchers: [(phase: KeyringState.Phase, continuation: CheckedContinuation<KeyringState, Never>)] = []
    }

    private let state = Mutex(State())

    var all: [KeyringState] { state.withLock { $0.all } }

    func add(_ new: KeyringState) {
        let watchers = state.withLock { state in
            state.all.append(new)
            let watchers = state.watchers.filter { $0.phase == new.phase }
            state.watchers.removeAll { $0.phase == new.phase }
            return watchers
        }
        for watcher in watchers { watcher.continuation.resume(returning: new) }
    }

    /// Waits for the phase; at once if the last state is it.
    @discardableResult
    func reached(_ phase: KeyringState.Phase) async -> KeyringState {
        await withCheckedContinuation { continuation in
            let last = state.withLock { state -> KeyringState? in
                if let last = state.all.last, last.phase == phase { return last }
                state.watchers.append((phase, continuation))
                return nil
            }
            if let last { continuation.resume(returning: last) }
        }
    }
}

/// The lines of a log, as text.
final class LogRecorder: Sendable {
    private let state = Mutex<[String]>([])

    var lines: [String] { state.withLock { $0 } }

    var log: Log {
        Log { level, message, fields in
            let line = ([("\(level)", message)] + fields).map { "\($0.0)=\($0.1)" }.joined(separator: " ")
            self.state.withLock { $0.append(line) }
        }
    }
}
