internal import Keyring

/// Calls into a PKCS#11 module.
struct ModuleCalls: Sendable {
    private let name: String
    private let threads: CallThreads

    /// At most `limit` threads, started when needed.
    init(_ name: String, limit: Int) {
        self.name = name
        threads = CallThreads(limit: limit)
    }

    /// Runs `body` on one of the threads and waits for it, at most until `deadline`. A call whose caller has gone before
    /// it began is not made.
    func run<R: Sendable>(
        until deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () throws(PKCS11Error) -> R
    ) async throws(PKCS11Error) -> R {
        let answer: Result<R, PKCS11Error>
        do throws(CallRefusal) {
            answer = try await threads.answer(until: deadline) { Result { () throws(PKCS11Error) in try body() } }
        } catch {
            throw failure(error)
        }
        return try answer.get()
    }

    /// How long the oldest call has been running, or nil when there is none.
    var oldestCall: Duration? { threads.oldestCall }

    /// Takes no more calls and waits for those in flight, at most until `deadline`.
    ///
    /// - Returns: whether all threads have ended. If not, the library must not be finalized.
    func stop(until deadline: ContinuousClock.Instant) async -> Bool { await threads.stop(until: deadline) }

    private func failure(_ refusal: CallRefusal) -> PKCS11Error {
        let hint = "check the HSM and its connection"
        switch refusal {
        case .late:
            return PKCS11Error(.deadline, "\(name): no answer in time", hint: hint, errorClass: .retry)
        case .busy(let time):
            let since = time.map { " for \($0.components.seconds) s" } ?? ""
            return PKCS11Error(.deadline, "\(name): the HSM is busy\(since)", hint: hint, errorClass: .retry)
        case .stopped:
            return PKCS11Error(.shutdown, "\(name): shut down", errorClass: .retry)
        case .noThread(let code):
            return PKCS11Error(.call, "pthread_create: \(systemError(code))", errorClass: .retry)
        }
    }
}
