internal import Glibc

/// Calls into a library hold it for reading, whatever makes the library anew holds it for writing.
final class ReadWriteLock: @unchecked Sendable {
    // Sendable: the lock is made for several threads, and the pointer never changes.
    private let lock: UnsafeMutablePointer<pthread_rwlock_t>

    /// - Parameter prefersWriters: who waits to write gets in before readers that come later; then no thread may hold it
    ///   twice.
    init(prefersWriters: Bool = false) {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_rwlock_t())
        var attributes = pthread_rwlockattr_t()
        pthread_rwlockattr_init(&attributes)
        if prefersWriters {
            pthread_rwlockattr_setkind_np(&attributes, Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP))
        }
        pthread_rwlock_init(lock, &attributes)
        pthread_rwlockattr_destroy(&attributes)
    }

    deinit {
        pthread_rwlock_destroy(lock)
        lock.deallocate()
    }

    func reading<R>(_ body: () throws(PKCS11Error) -> R) throws(PKCS11Error) -> R {
        pthread_rwlock_rdlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        return try body()
    }

    func writing<R>(_ body: () throws(PKCS11Error) -> R) throws(PKCS11Error) -> R {
        pthread_rwlock_wrlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        return try body()
    }

    /// Waits at most so many milliseconds for the readers.
    ///
    /// - Returns: nil when they took longer; `body` was not run.
    func writing<R>(within milliseconds: Int, _ body: () throws(PKCS11Error) -> R) throws(PKCS11Error) -> R? {
        var until = timespec()
        clock_gettime(CLOCK_MONOTONIC, &until)
        let nanoseconds = until.tv_nsec + milliseconds % 1000 * 1_000_000
        until.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
        until.tv_nsec = nanoseconds % 1_000_000_000
        guard pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &until) == 0 else { return nil }
        defer { pthread_rwlock_unlock(lock) }
        return try body()
    }
}
