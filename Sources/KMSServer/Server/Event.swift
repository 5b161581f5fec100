internal import CLinux
internal import Glibc

/// Something that happens once and that threads wait for: an eventfd, so that poll(2) and epoll(7) can wait for it, too.
final class Event: Sendable {
    private let descriptor: Descriptor

    var raw: Int32 { descriptor.raw }

    init() throws(ServerError) {
        let raw = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard raw >= 0 else { throw ServerError("eventfd", "event", errno: errno) }
        descriptor = Descriptor(raw)
    }

    /// It has happened; from now on nobody waits.
    func set() {
        eventfd_write(raw, 1)
    }

    /// Waits until it has happened; false when the deadline passed before.
    func wait(until deadline: ContinuousClock.Instant) -> Bool {
        while true {
            var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
            let ready = poll(&entry, 1, Poller.milliseconds(until: deadline))
            if ready > 0 { return true }
            if ready == 0 || errno != EINTR { return false }
        }
    }
}
