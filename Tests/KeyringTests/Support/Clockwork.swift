import Synchronization

@testable import Keyring

/// A clock that stands still until a test moves it, and pauses that end when the test says so.
final class Clockwork: Sendable {
    private struct State {
        var now = ContinuousClock.now
        var lastID = 0
        var pauses:
            [(
                id: Int, pause: Pacing.Pause, due: ContinuousClock.Instant, duration: Duration,
                continuation: CheckedContinuation<Void, Never>
            )] = []
        var watchers: [(pause: Pacing.Pause, continuation: CheckedContinuation<Duration, Never>)] = []
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    /// Random numbers are the lower bound of their range; missing seals are healed at once.
    var pacing: Pacing {
        var pacing = Pacing()
        pacing.now = { self.state.withLock { $0.now } }
        pacing.pause = { await self.pause($0, $1) }
        pacing.random = { $0.lowerBound }
        pacing.healDelay = 0...0
        return pacing
    }

    func advance(_ duration: Duration) { state.withLock { $0.now += duration } }

    /// Waits until a task of the service is in this pause, and says how long it is to be.
    @discardableResult
    func reached(_ pause: Pacing.Pause) async -> Duration {
        await withCheckedContinuation { continuation in
            let duration = state.withLock { state -> Duration? in
                if let found = state.pauses.first(where: { $0.pause == pause }) { return found.duration }
                state.watchers.append((pause, continuation))
                return nil
            }
            if let duration { continuation.resume(returning: duration) }
        }
    }

    /// Waits until a task is in this pause, then moves the clock by as much as it wanted and lets it go on.
    @discardableResult
    func end(_ pause: Pacing.Pause) async -> Duration {
        let duration = await reached(pause)
        let ended = state.withLock { state in
            guard let index = state.pauses.firstIndex(where: { $0.pause == pause }) else {
                return nil as CheckedContinuation<Void, Never>?
            }
            state.now += duration
            return state.pauses.remove(at: index).continuation
        }
        ended?.resume()
        return duration
    }

    var now: ContinuousClock.Instant { state.withLock { $0.now } }

    /// If a task is in this pause, moves the clock by as much as it wanted and lets it go on.
    func endIfReached(_ pause: Pacing.Pause) {
        let ended = state.withLock { state in
            guard let index = state.pauses.firstIndex(where: { $0.pause == pause }) else {
                return nil as CheckedContinuation<Void, Never>?
            }
            state.now = max(state.now, state.pauses[index].due)
            return state.pauses.remove(at: index).continuation
        }
        ended?.resume()
    }

    /// Lets this time pass for tasks of the service that are in these pauses: each goes on when it is due, one after the
    /// other.
    ///
    /// - Parameter step: done before each of them goes on.
    func pass(_ time: Duration, in pauses: [Pacing.Pause], step: () async throws -> Void) async throws {
        let end = now + time
        while true {
            for pause in pauses { await reached(pause) }
            let next = state.withLock { state -> (pause: Pacing.Pause, due: ContinuousClock.Instant)? in
                let next = state.pauses.filter { pauses.contains($0.pause) }.min { $0.due < $1.due }
                guard let next, next.due <= end else {
                    state.now = end
                    return nil
                }
                state.now = max(state.now, next.due)
                return (next.pause, next.due)
            }
            try await step()
            guard let next else { return }
            let ended = state.withLock { state in
                state.pauses.firstIndex { $0.pause == next.pause }.map { state.pauses.remove(at: $0).continuation }
            }
            ended?.resume()
        }
    }

    private func pause(_ pause: Pacing.Pause, _ duration: Duration) async {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (watchers, isOver) = state.withLock { state in
                    guard state.cancelled.remove(id) == nil else {
                        return ([] as [CheckedContinuation<Duration, Never>], true)
                    }
                    state.pauses.append((id, pause, state.now + duration, duration, continuation))
                    let watchers = state.watchers.filter { $0.pause == pause }.map(\.continuation)
                    state.watchers.removeAll { $0.pause == pause }
                    return (watchers, false)
                }
                for watcher in watchers { watcher.resume(returning: duration) }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let ended = state.withLock { state in
                guard let index = state.pauses.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil as CheckedContinuation<Void, Never>?
                }
                return state.pauses.remove(at: index).continuation
            }
            ended?.resume()
        }
    }
}
