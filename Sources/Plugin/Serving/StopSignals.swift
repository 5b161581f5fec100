internal import CLinux
internal import Glibc

/// SIGTERM and SIGINT as events of one thread, instead of handlers that may run on any.
///
/// Make it before any other thread exists: threads inherit the blocked signals. SIGHUP is ignored: a configuration is
/// read at a start only.
final class StopSignals: Sendable {
    enum Event: Equatable, Sendable {
        case signal(CInt)
        /// Someone called `wake`.
        case woken
        case timeout
    }

    private let signals: CInt
    private let wakeup: CInt

    /// Nil when the system has no descriptors left.
    init?() {
        signal(SIGHUP, SIG_IGN)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        guard pthread_sigmask(SIG_BLOCK, &set, nil) == 0 else { return nil }
        signals = signalfd(-1, &set, CInt(SFD_CLOEXEC | SFD_NONBLOCK))
        wakeup = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
        guard signals >= 0, wakeup >= 0 else { return nil }
    }

    deinit {
        if signals >= 0 { close(signals) }
        if wakeup >= 0 { close(wakeup) }
    }

    /// Ends one `wait`, now or when it is called. From any thread.
    func wake() {
        var one: UInt64 = 1
        _ = write(wakeup, &one, MemoryLayout<UInt64>.size)
    }

    /// Blocks until there is an event, for as long as `limit` allows.
    func wait(atMost limit: Duration? = nil) -> Event {
        let deadline = limit.map { ContinuousClock.now + $0 }
        while true {
            var descriptors = [
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0),
            ]
            let left = deadline.map { max(.zero, $0 - .now) }
            _ = poll(&descriptors, 2, left.map { CInt(clamping: $0.milliseconds) } ?? -1)
            var information = signalfd_siginfo()
            if read(signals, &information, MemoryLayout<signalfd_siginfo>.size) > 0 {
                return .signal(CInt(bitPattern: information.ssi_signo))
            }
            var count: UInt64 = 0
            if read(wakeup, &count, MemoryLayout<UInt64>.size) > 0 { return .woken }
            if let deadline, .now >= deadline { return .timeout }
        }
    }
}

extension Duration {
    /// Rounded up.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
