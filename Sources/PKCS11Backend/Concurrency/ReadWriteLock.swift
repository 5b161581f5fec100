internal import Glibc

/// Calls into a library hold it for reading, whatever makes the library anew holds it for writing.
final class ReadWriteLock: @unchecked Sendable {
    // Sendable: the lock is made for several threads, and the pointer never changes.
    private let lock: UnsafeMutablePointer<pthread_rwlock_t>

    init() {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_rwlock_t())
        pthread_rwlock_init(lock, nil)
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
}
