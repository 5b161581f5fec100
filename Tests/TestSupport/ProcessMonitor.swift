internal import CLinux
internal import Glibc
internal import Synchronization

/// The thread behind a `ChildProcess`: reads its pipes, reaps it, and resumes those who wait for either.
final class ProcessMonitor: Sendable {
    struct State: Sendable {
        var output: [UInt8] = []
        var errors: [UInt8] = []
        var exit: ChildProcess.Exit?
        fileprivate var waiters: [Waiter] = []
    }

    fileprivate struct Waiter: Sendable {
        let deadline: ContinuousClock.Instant
        let condition: @Sendable (State) -> Bool
        let continuation: CheckedContinuation<Bool, Never>
    }

    private let state = Mutex(State())
    private let process: Spawn.Spawned
    /// An eventfd that tells the thread of a new waiter.
    private let wake: Int32

    init(_ process: Spawn.Spawned) throws(TestError) {
        self.process = process
        wake = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard wake >= 0 else { throw .systemCall("eventfd", "", errno) }
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<ProcessMonitor>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        guard code == 0 else { throw .systemCall("pthread_create", "", code) }
        pthread_detach(thread)
    }

    deinit { close(wake) }

    var exit: ChildProcess.Exit? { state.withLock { $0.exit } }

    var text: (output: String, errors: String) {
        state.withLock { (String(decoding: $0.output, as: UTF8.self), String(decoding: $0.errors, as: UTF8.self)) }
    }

    func check(_ condition: (State) -> Bool) -> Bool { state.withLock { condition($0) } }

    /// Runs `body` while the process cannot be reaped: its ID is surely its own.
    func ifRunning(_ body: () -> Void) {
        state.withLock { if $0.exit == nil { body() } }
    }

    /// True as soon as `condition` holds, false at the deadline. `condition` runs on the monitor's thread.
    func wait(within limit: Duration, _ condition: @escaping @Sendable (State) -> Bool) async -> Bool {
        let deadline = ContinuousClock().now + limit
        return await withCheckedContinuation { continuation in
            let now: Bool? = state.withLock { state in
                if condition(state) { return true }
                // After its end nothing changes any more, and the thread is gone.
                if state.exit != nil { return false }
                state.waiters.append(Waiter(deadline: deadline, condition: condition, continuation: continuation))
                return nil
            }
            if let now {
                continuation.resume(returning: now)
            } else {
                var one: UInt64 = 1
                _ = write(wake, &one, 8)
            }
        }
    }

    private func run() {
        var streams = [(process.output, \State.output), (process.errors, \State.errors)]
        var ended = false
        while !ended {
            var events = [pollfd(fd: process.handle, events: Int16(POLLIN), revents: 0)]
            events.append(pollfd(fd: wake, events: Int16(POLLIN), revents: 0))
            events.append(contentsOf: streams.map { pollfd(fd: $0.0, events: Int16(POLLIN), revents: 0) })
            _ = poll(&events, nfds_t(events.count), timeout())
            ended = events[0].revents != 0
            var count: UInt64 = 0
            _ = read(wake, &count, 8)
            // At its end the pipes are read until they are empty, not until they are closed: a child may hold them.
            streams = streams.filter { drain($0.0, into: $0.1) }
            if ended { reap() }
            resume()
        }
        close(process.output)
        close(process.errors)
        close(process.handle)
    }

    /// Milliseconds until the next waiter's deadline.
    private func timeout() -> Int32 {
        guard let next = state.withLock({ $0.waiters.map(\.deadline).min() }) else { return -1 }
        let left = next - ContinuousClock().now
        return max(.zero, left).wholeMilliseconds + 1
    }

    /// Takes what can be read without waiting; false at end of file.
    private func drain(_ stream: Int32, into field: WritableKeyPath<State, [UInt8]>) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(stream, &chunk, chunk.count)
            if count > 0 {
                state.withLock { $0[keyPath: field].append(contentsOf: chunk.prefix(count)) }
            } else if count < 0 && errno == EINTR {
                continue
            } else {
                return count < 0 && errno == EAGAIN
            }
        }
    }

    private func reap() {
        state.withLock { state in
            var status: Int32 = 0
            while waitpid(process.pid, &status, 0) < 0 && errno == EINTR {}
            state.exit = status & 0x7f == 0 ? .code((status >> 8) & 0xff) : .signal(status & 0x7f)
        }
    }

    private func resume() {
        let now = ContinuousClock().now
        let due: [(CheckedContinuation<Bool, Never>, Bool)] = state.withLock { state in
            var due: [(CheckedContinuation<Bool, Never>, Bool)] = []
            var rest: [Waiter] = []
            for waiter in state.waiters {
                if waiter.condition(state) {
                    due.append((waiter.continuation, true))
                } else if state.exit != nil || waiter.deadline <= now {
                    due.append((waiter.continuation, false))
                } else {
                    rest.append(waiter)
                }
            }
            state.waiters = rest
            return due
        }
        for (continuation, result) in due { continuation.resume(returning: result) }
    }
}
