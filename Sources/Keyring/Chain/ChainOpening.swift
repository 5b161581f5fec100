/// A KEK that a member has opened.
struct ChainOpened: Sendable {
    let kek: KEK
    let candidate: SealCandidate
    /// Of the call that opened it.
    let latency: Duration
}

/// Why no member has opened a KEK: every attempt, in order.
struct ChainFailure: Error, Sendable {
    struct Attempt: Sendable {
        let candidate: SealCandidate
        let error: SealingError
    }

    var attempts: [Attempt]
}

extension SealingChain {
    /// Opens a KEK by the first member that can.
    ///
    /// - Parameters:
    ///   - kekID: what has to come out; anything else is refused, and the next candidate is asked.
    ///   - observe: told of each call's end.
    func open(
        _ kekID: KEKID, by candidates: [SealCandidate], observe: (SealCandidate, CallOutcome<KEK>) -> Void
    ) async -> Result<ChainOpened, ChainFailure> {
        var failure = ChainFailure(attempts: [])
        for candidate in candidates {
            let seal = candidate.seal
            let member = members[candidate.member]
            let outcome = await member.call("unseal \(kekID)") { (backend, until) throws(SealingError) in
                try await backend.unseal(seal, until: until)
            }
            let checked = SealingChain.check(outcome, kekID, candidate)
            observe(candidate, checked)
            switch checked.result {
            case .success(let kek):
                return .success(ChainOpened(kek: kek, candidate: candidate, latency: checked.latency))
            case .failure(let error):
                failure.attempts.append(ChainFailure.Attempt(candidate: candidate, error: error))
                log(
                    .warning, "a backend did not open a KEK", ("backend", member.backend.name), ("kek", "\(kekID)"),
                    ("class", error.errorClass.rawValue), ("reason", "\(error)"))
            }
            if Task.isCancelled { break }
        }
        return .failure(failure)
    }

    private static func check(
        _ outcome: CallOutcome<KEK>, _ kekID: KEKID, _ candidate: SealCandidate
    ) -> CallOutcome<KEK> {
        guard case .success(let kek) = outcome.result, !kek.matches(kekID) else { return outcome }
        let error = SealingError(
            .permanent, "the seal to \(candidate.seal.recipient.id) does not open to the KEK of its record",
            hint: "restore the record's file, or bring back another of its recipients")
        return CallOutcome(result: .failure(error), latency: outcome.latency)
    }
}
