internal import Glibc

/// A file descriptor, closed with its owner.
struct Descriptor: ~Copyable, Sendable {
    let raw: Int32

    init(_ raw: Int32) { self.raw = raw }

    deinit { close(raw) }

    /// Gives the descriptor away without closing it.
    consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }
}
