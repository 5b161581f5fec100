internal import Keyring

/// A thread of the server that can be waited for with a deadline.
struct ServerThread: Sendable {
    private let thread: SystemThread
    /// Set when the thread has nothing left to do but to end.
    private let ended: Event

    /// Starts a thread with a name of at most 15 bytes.
    init(_ name: String, _ body: @escaping @Sendable () -> Void) throws(ServerError) {
        let ended = try Event()
        do throws(SystemThread.Failure) {
            thread = try SystemThread(name) {
                body()
                ended.set()
            }
        } catch {
            throw ServerError("pthread_create", name, errno: error.code)
        }
        self.ended = ended
    }

    /// Waits for its end; false when it still runs at the deadline. To be called once.
    func join(until deadline: ContinuousClock.Instant) -> Bool {
        guard ended.wait(until: deadline) else { return false }
        thread.join()
        return true
    }
}
