import Synchronization
import TestSupport

@testable import VaultBackend

/// A clock that stands still until a test moves it, and pauses that end when it has passed them.
final class SimulatedTime: Sendable {
    private struct Waiting {
        let id: Int
        let due: ContinuousClock.Instant
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var now = ContinuousClock.now
        var lastID = 0
        var waiting: [Waiting] = []
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    /// Random numbers are the lower bound of their range.
    var pacing: LoginPacing {
        LoginPacing(now: { self.now }, pause: { await self.pause($0) }, random: { $0.lowerBound })
    }

    var now: ContinuousClock.Instant { state.withLock { $0.now } }

    /// When the pauses end that tasks are in.
    var due: [ContinuousClock.Instant] { state.withLock { $0.waiting.map(\.due) } }

    /// Moves the clock; ends the pauses that are over then.
    ///
    /// - Returns: how many.
    @discardableResult
    func pass(_ duration: Duration) -> Int {
        let over = state.withLock { state in
            state.now += duration
            let over = state.waiting.filter { $0.due <= state.now }
            state.waiting.removeAll { $0.due <= state.now }
            return over
        }
        for waiting in over { waiting.continuation.resume() }
        return over.count
    }

    private func pause(_ duration: Duration) async {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard state.cancelled.remove(id) == nil else { return true }
                    state.waiting.append(Waiting(id: id, due: state.now + duration, continuation: continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let found = state.withLock { state -> Waiting? in
                guard let index = state.waiting.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.waiting.remove(at: index)
            }
            found?.continuation.resume()
        }
    }
}
