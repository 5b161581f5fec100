internal import Synchronization

/// A backend's own threads for blocking C calls. A call cannot be cancelled: whoever waits for one races its end against
/// a deadline and abandons it, and the thread goes on with it.
package final class CallThreads: Sendable {
    private struct Call: Sendable {
        /// Whether somebody still waits for it.
        let isWanted: @Sendable () -> Bool
        let body: @Sendable () -> Void
    }

    private struct State {
        var queue: [Call] = []
        var threads: [SystemThread] = []
        var idle = 0
        var stopping = false
        var exited = 0
        var running: [Int: ContinuousClock.Instant] = [:]
        var waiters: [Race<Bool?>] = []
        /// Whether somebody waits for the threads themselves, once they have ended.
        var isJoined = false
    }

    /// Calls that may wait for a thread; more are refused at once.
    package static let queueLimit = 8

    private let limit: Int
    private let state = Mutex(State())
    private let wakeUps = Semaphore()

    /// At most `limit` threads, started when needed.
    package init(limit: Int) {
        self.limit = limit
    }

    /// Runs `body` on one of the threads and waits for it, at most until `deadline`. A call whose caller has gone before
    /// it began is not made.
    package func answer<R: Sendable>(
        until deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () -> R
    ) async throws(CallRefusal) -> R {
        let race = Race<Result<R, CallRefusal>>()
        let refusal = submit(
            Call(isWanted: { race.isOpen }) {
                guard race.isOpen else { return }
                race.finish(.success(body()))
            })
        if let refusal { throw refusal }
        let timer = Task {
            try? await Task.sleep(until: deadline, clock: .continuous)
            race.finish(.failure(.late))
        }
        defer { timer.cancel() }
        return try await race.answer().get()
    }

    /// How long the oldest call has been running, or nil when there is none.
    package var oldestCall: Duration? {
        state.withLock { $0.running.values.min() }.map { ContinuousClock.now - $0 }
    }

    /// Takes no more calls and waits for those in flight, at most until `deadline`. May be called again, also meanwhile.
    ///
    /// - Returns: whether all threads have ended. If not, the library must not be finalized.
    package func stop(until deadline: ContinuousClock.Instant) async -> Bool {
        let count = state.withLock { state in
            state.stopping = true
            return state.threads.count
        }
        for _ in 0..<count { wakeUps.signal() }
        let end = Race<Bool?>()
        state.withLock { state in
            if state.exited == state.threads.count { end.finish(true) } else { state.waiters.append(end) }
        }
        guard await Deadline.wait(for: end, until: deadline) == true else { return false }
        let threads = state.withLock { state in
            defer { state.isJoined = true }
            return state.isJoined ? [] : state.threads
        }
        // They have nothing left to do but to return.
        for thread in threads { thread.join() }
        return true
    }

    private func submit(_ call: Call) -> CallRefusal? {
        state.withLock { state -> CallRefusal? in
            guard !state.stopping else { return .stopped }
            // Whose callers have gone behind a call that hangs must not keep others out.
            if state.queue.count >= CallThreads.queueLimit { state.queue.removeAll { !$0.isWanted() } }
            guard state.queue.count < CallThreads.queueLimit else {
                return .busy(for: state.running.values.min().map { ContinuousClock.now - $0 })
            }
            if state.idle <= state.queue.count, state.threads.count < limit {
                do throws(SystemThread.Failure) {
                    state.threads.append(try SystemThread("device") { self.work() })
                    state.idle += 1
                } catch {
                    // Those that there are will do.
                    guard !state.threads.isEmpty else { return .noThread(error.code) }
                }
            }
            state.queue.append(call)
            wakeUps.signal()
            return nil
        }
    }

    private func work() {
        while true {
            wakeUps.wait()
            let next = state.withLock { state -> (id: Int, call: Call)? in
                guard !state.queue.isEmpty else { return nil }
                let id = (state.running.keys.max() ?? 0) + 1
                state.running[id] = .now
                state.idle -= 1
                return (id, state.queue.removeFirst())
            }
            if let next {
                next.call.body()
                state.withLock { state in
                    state.running[next.id] = nil
                    state.idle += 1
                }
                continue
            }
            let isOver = state.withLock { state in
                guard state.stopping else { return false }
                state.exited += 1
                if state.exited == state.threads.count {
                    for waiter in state.waiters { waiter.finish(true) }
                    state.waiters = []
                }
                return true
            }
            if isOver { return }
        }
    }
}
