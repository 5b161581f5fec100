internal import Synchronization

/// The right to make and open seals through one backend, outside requests: healing and resealing take it one after the
/// other.
final class Turn: Sendable {
    private struct State {
        var isTaken = false
        var lastID: UInt64 = 0
        var waiting: [(id: UInt64, race: Race<Void?>)] = []
    }

    private let state = Mutex(State())

    /// Takes the turn if nobody has it.
    func tryTake() -> Bool {
        state.withLock { state in
            if state.isTaken { return false }
            state.isTaken = true
            return true
        }
    }

    /// Waits for the turn.
    ///
    /// - Returns: false when the deadline passed or the task was cancelled first.
    func take(until deadline: ContinuousClock.Instant) async -> Bool {
        let race = Race<Void?>()
        let ticket = state.withLock { state -> UInt64? in
            guard state.isTaken else {
                state.isTaken = true
                return nil
            }
            state.lastID += 1
            state.waiting.append((state.lastID, race))
            return state.lastID
        }
        guard let ticket else { return true }
        if await Deadline.wait(for: race, until: deadline) != nil { return true }
        // It may have been handed over at the very moment when the deadline passed.
        return state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0.id == ticket }) else { return true }
            state.waiting.remove(at: index)
            return false
        }
    }

    /// Gives the turn to the next one who waits.
    func give() {
        let next = state.withLock { state -> Race<Void?>? in
            guard !state.waiting.isEmpty else {
                state.isTaken = false
                return nil
            }
            return state.waiting.removeFirst().race
        }
        next?.finish(())
    }
}
