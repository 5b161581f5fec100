internal import CLinux
internal import Glibc

/// A thread of the server that blocks in the kernel, which none of Swift's own may do.
struct ServerThread: Sendable {
    private let thread: pthread_t
    /// Set when the thread has nothing left to do but to end.
    private let ended: Event

    /// Starts a thread with a name of at most 15 bytes.
    init(_ name: String, _ body: @escaping @Sendable () -> Void) throws(ServerError) {
        let ended = try Event()
        let work = Work {
            body()
            ended.set()
        }
        let context = Unmanaged.passRetained(work)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                // Signals are the main program's business.
                var all = sigset_t()
                sigfillset(&all)
                pthread_sigmask(SIG_BLOCK, &all, nil)
                Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            throw ServerError("pthread_create", name, errno: code)
        }
        pthread_setname_np(thread, name)
        self.thread = thread
        self.ended = ended
    }

    /// Waits for its end; false when it still runs at the deadline. To be called once.
    func join(until deadline: ContinuousClock.Instant) -> Bool {
        guard ended.wait(until: deadline) else { return false }
        pthread_join(thread, nil)
        return true
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
