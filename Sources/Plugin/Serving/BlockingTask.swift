internal import Glibc
internal import Synchronization

/// The step from a command's thread to the asynchronous side and back.
enum BlockingTask {
    /// Runs `body` as a task and blocks this thread until it returns. Only for threads of our own: a thread of Swift's own
    /// pool that waits is one that cannot work.
    static func run<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) -> Value {
        let outcome = Outcome<Value>()
        Task.detached { outcome.finish(await body()) }
        return outcome.wait()
    }

    private final class Outcome<Value: Sendable>: Sendable {
        private let value = Mutex<Value?>(nil)
        /// Mutex has no condition to wait for; the C library's semaphore is one, and it is made for many threads.
        private nonisolated(unsafe) let semaphore: UnsafeMutablePointer<sem_t>

        init() {
            semaphore = .allocate(capacity: 1)
            sem_init(semaphore, 0, 0)
        }

        deinit {
            sem_destroy(semaphore)
            semaphore.deallocate()
        }

        func finish(_ result: Value) {
            value.withLock { $0 = result }
            sem_post(semaphore)
        }

        func wait() -> Value {
            while true {
                sem_wait(semaphore)
                if let value = value.withLock({ $0 }) { return value }
            }
        }
    }
}
