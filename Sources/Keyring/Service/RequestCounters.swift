internal import Synchronization

/// Counts requests, from any thread.
final class RequestCounters: Sendable {
    private let encrypts = Atomic<UInt64>(0)
    private let decrypts = Atomic<UInt64>(0)
    private let failures = Mutex<[ServiceError.Code: UInt64]>([:])

    func encrypted() { encrypts.wrappingAdd(1, ordering: .relaxed) }

    func decrypted() { decrypts.wrappingAdd(1, ordering: .relaxed) }

    /// Counts the refusal and hands it back.
    func failed(_ error: ServiceError) -> ServiceError {
        failures.withLock { $0[error.code, default: 0] += 1 }
        return error
    }

    var counts: RequestCounts {
        var counts = RequestCounts()
        counts.encrypts = encrypts.load(ordering: .relaxed)
        counts.decrypts = decrypts.load(ordering: .relaxed)
        counts.failures = failures.withLock { $0 }
        return counts
    }
}
