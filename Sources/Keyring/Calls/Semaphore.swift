internal import Glibc

/// A POSIX semaphore that begins at 0, for threads that may block.
package final class Semaphore: @unchecked Sendable {
    // Sendable: the semaphore is made for several threads, and the pointer never changes.
    private let semaphore: UnsafeMutablePointer<sem_t>

    /// Nothing is signalled yet.
    package init() {
        semaphore = .allocate(capacity: 1)
        semaphore.initialize(to: sem_t())
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    /// Lets one waiter go on.
    package func signal() {
        sem_post(semaphore)
    }

    /// Waits for a signal.
    package func wait() {
        while sem_wait(semaphore) != 0 && errno == EINTR {}
    }
}
