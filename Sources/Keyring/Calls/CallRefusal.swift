/// Why `CallThreads` has no answer of a call.
package enum CallRefusal: Error, Sendable, Equatable {
    /// Not in time; the call may still run.
    case late
    /// Too many calls wait already; the oldest one has been running for so long.
    case busy(for: Duration?)
    /// The threads were stopped.
    case stopped
    /// pthread_create's code.
    case noThread(Int32)
}
