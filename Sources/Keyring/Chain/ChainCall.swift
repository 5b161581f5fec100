/// What became of one call to a backend.
struct CallOutcome<Answer: Sendable>: Sendable {
    let result: Result<Answer, SealingError>
    /// How long it took, or how long it was waited for.
    let latency: Duration

    /// Nil when the call succeeded.
    var error: SealingError? {
        guard case .failure(let error) = result else { return nil }
        return error
    }
}

extension SealingChain.Member {
    /// How much later than its deadline a call is abandoned, so that the backend's own reason comes first.
    static let grace = Duration.milliseconds(100)

    /// Calls the backend and waits until the member's deadline, or the caller's if that is earlier.
    ///
    /// - Parameters:
    ///   - name: what the call does; there is one call of a name at a time.
    ///   - caller: the caller's deadline.
    func call<Answer: Sendable>(
        _ name: String, until caller: ContinuousClock.Instant? = nil,
        _ body: @escaping @Sendable (any SealingBackend, ContinuousClock.Instant) async throws(SealingError) -> Answer
    ) async -> CallOutcome<Answer> {
        let start = ContinuousClock.now
        let own = start + deadline
        let limit = caller.map { min($0, own) } ?? own
        func failure(_ text: String) -> CallOutcome<Answer> {
            let error = SealingError(.retry, text, hint: "check the device and the way to it")
            return CallOutcome(result: .failure(error), latency: ContinuousClock.now - start)
        }
        guard limit > start else { return failure("\(name): no time left") }
        if let running = calls.begin(name) {
            return failure("\(name): the last such call has not returned for \(running.components.seconds) s")
        }
        let backend = backend
        let calls = calls
        let answer = await Deadline.race(until: limit + Self.grace) { () async -> Result<Answer, SealingError> in
            defer { calls.end(name) }
            do throws(SealingError) {
                return .success(try await body(backend, limit))
            } catch {
                return .failure(error)
            }
        }
        guard let answer else { return failure("\(name): no answer in time") }
        return CallOutcome(result: answer, latency: ContinuousClock.now - start)
    }
}
