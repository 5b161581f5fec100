internal import CLinux
internal import Glibc

/// A thread of its own for what blocks in the kernel or in a library: Swift's pool has one a core, and who blocks one there
/// may wait for work that only that thread could do.
public struct SystemThread: Sendable {
    /// Why there is no thread: pthread_create(3)'s code.
    public struct Failure: Error, Sendable {
        /// As errno.
        public let code: Int32
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private let thread: pthread_t

    /// Runs `body` on a new thread, which takes no signals: those are the main program's business.
    ///
    /// - Parameters:
    ///   - name: at most 15 bytes, for whoever looks at the process.
    ///   - stackSize: in bytes; nil for the system's.
    public init(
        _ name: String, stackSize: Int? = nil, _ body: @escaping @Sendable () -> Void
    ) throws(Failure) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        if let stackSize { pthread_attr_setstacksize(&attributes, stackSize) }
        let context = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { return nil }
                var all = sigset_t()
                sigfillset(&all)
                pthread_sigmask(SIG_BLOCK, &all, nil)
                Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            throw Failure(code: code)
        }
        pthread_setname_np(thread, name)
        self.thread = thread
    }

    /// Waits for its end. Once, and instead of `detach`.
    public func join() { pthread_join(thread, nil) }

    /// Leaves it to itself. Once, and instead of `join`.
    public func detach() { pthread_detach(thread) }
}
