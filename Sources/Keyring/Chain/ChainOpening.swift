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
    /// Opens a KEK by the first member that can. The next one is asked when one fails or lets its deadline pass, and as
    /// well as the one before it when that has not answered for its `hedgeAfter`; the first right answer wins, and
    /// nobody waits for the others any more. No member is asked twice at once.
    ///
    /// - Parameters:
    ///   - kekID: what has to come out; anything else is refused, and the next candidate is asked.
    ///   - observe: told of each call's end, of those too that end after this one has returned.
    func open(
        _ kekID: KEKID, by candidates: [SealCandidate],
        observe: @escaping @Sendable (SealCandidate, CallOutcome<KEK>) -> Void
    ) async -> Result<ChainOpened, ChainFailure> {
        var run = OpeningRun(self, kekID, candidates, observe)
        defer { run.end() }
        return await run.result()
    }
}

/// One attempt to open a KEK.
private struct OpeningRun {
    private enum Event: Sendable {
        case answered(Int, CallOutcome<KEK>)
        /// This candidate's member has been silent for its `hedgeAfter`.
        case isSlow(Int)
    }

    private let chain: SealingChain
    private let kekID: KEKID
    private let candidates: [SealCandidate]
    private let observe: @Sendable (SealCandidate, CallOutcome<KEK>) -> Void
    private let until: ContinuousClock.Instant
    private let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation
    /// Candidates by index, in the order in which they are to be asked.
    private var waiting: [Int]
    private var running: Set<Int> = []
    /// The one that was asked last: whoever was asked before it is slow already.
    private var latest: Int?
    private var timers: [Task<Void, Never>] = []
    private var errors: [Int: SealingError] = [:]

    init(
        _ chain: SealingChain, _ kekID: KEKID, _ candidates: [SealCandidate],
        _ observe: @escaping @Sendable (SealCandidate, CallOutcome<KEK>) -> Void
    ) {
        self.chain = chain
        self.kekID = kekID
        self.candidates = candidates
        self.observe = observe
        // That a call is abandoned a little after its deadline is nobody's loss.
        let members = Set(candidates.map(\.member))
        until = .now + chain.openDeadline + SealingChain.Member.grace * members.count
        (events, continuation) = AsyncStream.makeStream(of: Event.self)
        waiting = Array(candidates.indices)
    }

    mutating func result() async -> Result<ChainOpened, ChainFailure> {
        var iterator = events.makeAsyncIterator()
        var wantsNext = true
        while true {
            if wantsNext || running.isEmpty, start() {
                wantsNext = false
                continue
            }
            if running.isEmpty { break }
            // Nil when the calling task is cancelled.
            guard let event = await iterator.next() else { break }
            switch event {
            case .isSlow(let index):
                if index == latest, running.contains(index) { wantsNext = true }
            case .answered(let index, let outcome):
                running.remove(index)
                switch outcome.result {
                case .success(let kek):
                    return .success(ChainOpened(kek: kek, candidate: candidates[index], latency: outcome.latency))
                case .failure(let error):
                    errors[index] = error
                    // Whoever it was: no more are asked at once than before.
                    wantsNext = true
                }
            }
        }
        let attempts = errors.sorted { $0.key < $1.key }
        return .failure(
            ChainFailure(
                attempts: attempts.map { ChainFailure.Attempt(candidate: candidates[$0.key], error: $0.value) }))
    }

    func end() {
        continuation.finish()
        for timer in timers { timer.cancel() }
    }

    /// Asks the next candidate whose member has no call of this run under way.
    ///
    /// - Returns: false when there is none.
    private mutating func start() -> Bool {
        let busy = Set(running.map { candidates[$0].member })
        guard let place = waiting.firstIndex(where: { !busy.contains(candidates[$0].member) }) else { return false }
        let share = share(of: candidates[waiting[place]].member)
        let index = waiting.remove(at: place)
        running.insert(index)
        latest = index
        call(index, within: share)
        if let hedgeAfter = chain.members[candidates[index].member].hedgeAfter, !waiting.isEmpty {
            let continuation = continuation
            timers.append(
                Task {
                    do { try await Task.sleep(for: hedgeAfter) } catch { return }
                    continuation.yield(.isSlow(index))
                })
        }
        return true
    }

    private func call(_ index: Int, within share: Duration) {
        let (chain, kekID, candidate, observe) = (chain, kekID, candidates[index], observe)
        let continuation = continuation
        // Of its own, since nobody waits for the loser, and since what it has to say about its backend counts.
        Task {
            let member = chain.members[candidate.member]
            let outcome = await member.call("unseal \(kekID)", within: share) { (backend, until) throws(SealingError) in
                let kek = try await backend.unseal(candidate.seal, until: until)
                guard kek.matches(kekID) else {
                    throw SealingError(
                        .permanent,
                        "the seal to \(candidate.seal.recipient.id) does not open to the KEK of its record",
                        hint: "restore the record's file, or bring back another of its recipients")
                }
                return kek
            }
            if outcome.wasAsked, let error = outcome.error {
                chain.log(
                    .warning, "a backend did not open a KEK", ("backend", member.backend.name), ("kek", "\(kekID)"),
                    ("class", error.errorClass.rawValue), ("reason", "\(error)"))
            }
            observe(candidate, outcome)
            continuation.yield(.answered(index, outcome))
        }
    }

    /// What a member may take of the time that is left: all that those after it do not need, but no less than they.
    private func share(of member: Int) -> Duration {
        let others = Set(waiting.map { candidates[$0].member }).subtracting([member])
        let left = until - .now - SealingChain.Member.grace * (others.count + 1)
        let needed = others.reduce(Duration.zero) { $0 + chain.members[$1].deadline }
        return max(left - needed, left / (others.count + 1))
    }
}
