internal import CLinux
internal import Glibc

/// Signals that end or stop the process, held back while it has something to put in order first.
enum HeldSignals {
    private static let all = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP]

    /// Runs `body` with a descriptor that is readable once one of them has come. They take effect when it returns. For the
    /// only thread: another one would take them.
    static func during<Result: ~Copyable>(
        _ body: (CInt) throws(CommandFailure) -> Result
    ) throws(CommandFailure) -> Result {
        var held = sigset_t()
        sigemptyset(&held)
        for signal in all { sigaddset(&held, signal) }
        // Never read: what it shows stays pending.
        let descriptor = signalfd(-1, &held, CInt(SFD_CLOEXEC | SFD_NONBLOCK))
        guard descriptor >= 0 else {
            throw CommandFailure(.failure, "signalfd: \(String(cString: strerror(errno)))")
        }
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &held, &before)
        defer {
            close(descriptor)
            pthread_sigmask(SIG_SETMASK, &before, nil)
        }
        return try body(descriptor)
    }
}
