/// A connection as the acceptor knows it.
struct Connection {
    enum Stage {
        /// Let in, but HTTP/2's preface has not arrived; ours to close.
        case silent(until: ContinuousClock.Instant)
        /// Handed to gRPC core, which closes it. We only look whether it is still open.
        case serving
    }

    let descriptor: Int32
    let entrance: Entrance
    /// For the log.
    let user: UInt32
    var stage: Stage

    /// What each HTTP/2 connection begins with (RFC 9113, section 3.4).
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
}
