/// What became of one call to a backend.
struct CallOutcome<Answer: Sendable>: Sendable {
    let result: Result<Answer, SealingError>
    /// How long it took, or how long it was waited for.
    let latency: Duration
    /// False when the backend was spared: there was no time left, or it had failed only now (`Breaker`).
    var wasAsked = true

    /// Nil when the call succeeded.
    var error: SealingError? {
        guard case .failure(let error) = result else { return nil }
        return error
    }
}

extension SealingChain.Member {
    /// How much later than its deadline a call is abandoned, so that the backend's own reason comes first.
    static let grace = Duration.milliseconds(100)

    /// Calls the backend, if its breaker lets the call in, and waits until the member's deadline, or the caller's if that
    /// is earlier. How the call ended is noted here and nowhere else.
    ///
    /// - Parameters:
    ///   - name: what the call does; there is one call of a name at a time.
    ///   - caller: the caller's deadline. That it passes says nothing about the backend.
    ///   - share: less than the member's deadline, when it has to do with less. Nor does that.
    func call<Answer: Sendable>(
        _ name: String, until caller: ContinuousClock.Instant? = nil, within share: Duration? = nil,
        _ body: @escaping @Sendable (any SealingBackend, ContinuousClock.Instant) async throws(SealingError) -> Answer
    ) async -> CallOutcome<Answer> {
        let start = ContinuousClock.now
        let own = start + deadline
        let limit = min(own, caller ?? own, start + (share ?? deadline))
        func failure(_ text: String) -> SealingError {
            SealingError(.retry, "\(name): \(text)", hint: "check the device and the way to it")
        }
        func notAsked(_ error: SealingError) -> CallOutcome<Answer> {
            CallOutcome(result: .failure(error), latency: .zero, wasAsked: false)
        }
        guard limit > start, !Task.isCancelled else { return notAsked(failure("no time left")) }
        let ticket: Breaker.Ticket
        switch breaker.admit() {
        case .admitted(let admitted): ticket = admitted
        case .refused(let error): return notAsked(error)
        }
        let running: OutstandingCalls.Call
        switch calls.begin(name, overdueAfter: deadline) {
        case .begun(let call): running = call
        case .running(let duration, let isNews):
            let error = failure("the last such call has not returned for \(duration.components.seconds) s")
            // A hung call is one failure, however often its name is wanted: all else may work. One that was to find out
            // how the backend does has found out.
            if isNews || ticket.isAttempt {
                breaker.end(ticket, error, latency: .zero)
            } else {
                breaker.abandon(ticket)
            }
            return notAsked(error)
        }
        breaker.begin()
        let backend = backend
        let answer = await Deadline.race(until: limit + Self.grace) { () async -> Result<Answer, SealingError> in
            defer { running.end() }
            do throws(SealingError) {
                return .success(try await body(backend, limit))
            } catch {
                return .failure(error)
            }
        }
        let latency = ContinuousClock.now - start
        let outcome = CallOutcome(result: answer ?? .failure(failure("no answer in time")), latency: latency)
        // With less time than it is entitled to it has not failed.
        let wasCutShort = Task.isCancelled || (limit < own && ContinuousClock.now >= limit)
        if outcome.error != nil, wasCutShort {
            breaker.abandon(ticket)
        } else {
            if outcome.error != nil { running.note() }
            breaker.end(ticket, outcome.error, latency: latency)
        }
        return outcome
    }
}

extension CallOutcome {
    /// For an operator who wants the backend to be asked now.
    func sayingWhenSpared(by member: SealingChain.Member) -> Result<Answer, SealingError> {
        guard !wasAsked, let error, let next = member.breaker.nextAttempt else { return result }
        let when =
            switch next {
            case .after(let duration): "it is asked again in \(duration.components.seconds + 1) s"
            case .underWay: "it is being asked"
            }
        return .failure(
            SealingError(error.errorClass, "\(error.message) (\(when))", hint: error.hint, cause: error.cause))
    }
}
