internal import CLinux
internal import Glibc

/// An epoll(7) instance whose entries carry an identifier.
///
/// An entry belongs to an open socket *under a descriptor number* and does not keep it open. When the last descriptor of
/// the socket is closed, by whomever, the entry goes. `watches` makes use of that: it tells for certain whether the
/// socket that was added under a number is still open under it, even when the number has been given to another file.
struct Poller: ~Copyable, Sendable {
    /// What is reported about a descriptor, next to errors.
    enum Interest {
        /// Whether there is something to read or accept, again and again as long as there is.
        case readable
        /// Whether something more has arrived, or the peer has closed.
        case arrival
        /// Only whether the peer has closed.
        case hangUp

        fileprivate var events: UInt32 {
            let hangUp = UInt32(TROUSSEAU_EPOLLHUP)
            let readable = UInt32(TROUSSEAU_EPOLLIN)
            return switch self {
            case .readable: readable
            case .arrival: readable | hangUp | TROUSSEAU_EPOLLET
            case .hangUp: hangUp | TROUSSEAU_EPOLLET
            }
        }
    }

    private let epoll: Descriptor

    init() throws(ServerError) {
        let raw = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard raw >= 0 else { throw ServerError("epoll_create1", "epoll", errno: errno) }
        epoll = Descriptor(raw)
    }

    /// False when the kernel refuses, for want of memory.
    borrowing func add(_ descriptor: Int32, _ interest: Interest, identifier: UInt64) -> Bool {
        trousseau_epoll_control(epoll.raw, EPOLL_CTL_ADD, descriptor, interest.events, identifier) == 0
    }

    /// Changes what is reported; false when the socket that was added is no longer open under this number.
    borrowing func watches(_ descriptor: Int32, _ interest: Interest, identifier: UInt64) -> Bool {
        trousseau_epoll_control(epoll.raw, EPOLL_CTL_MOD, descriptor, interest.events, identifier) == 0
    }

    borrowing func remove(_ descriptor: Int32) {
        _ = trousseau_epoll_control(epoll.raw, EPOLL_CTL_DEL, descriptor, 0, 0)
    }

    /// Waits for events, at most until `deadline`; the identifiers of the entries that have one.
    borrowing func wait(until deadline: ContinuousClock.Instant?) -> [UInt64] {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { identifiers in
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { events in
                let count = trousseau_epoll_wait(
                    epoll.raw, identifiers.baseAddress, events.baseAddress, 64, Poller.milliseconds(until: deadline))
                return Array(identifiers.prefix(Int(max(0, count))))
            }
        }
    }

    /// Rounded up, so that a wait does not end just before its deadline; -1 is for ever.
    static func milliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let (seconds, attoseconds) = (deadline - .now).components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
    }
}
