/// The backends of this node, in the order in which they are asked to unseal.
public struct SealingChain: Sendable {
    /// One backend and its place.
    public struct Member: Sendable {
        /// The backend.
        public let backend: any SealingBackend
        /// Whether it only opens what it once sealed: it is being retired.
        public let unsealOnly: Bool
        /// How long one call to it may take.
        public let deadline: Duration
        /// After this time without an answer the next backend is asked to unseal as well; nil: only after the deadline.
        public let hedgeAfter: Duration?
        let calls = OutstandingCalls()
        private(set) var breaker: Breaker

        /// A backend with its limits.
        public init(_ backend: any SealingBackend, unsealOnly: Bool, deadline: Duration, hedgeAfter: Duration? = nil) {
            self.backend = backend
            self.unsealOnly = unsealOnly
            self.deadline = deadline
            self.hedgeAfter = hedgeAfter
            breaker = Breaker(Pacing(), pacesItself: backend.pacesItself)
        }

        /// The same with a breaker by another clock, which knows nothing yet.
        func paced(by pacing: Pacing) -> Member {
            var member = self
            member.breaker = Breaker(pacing, pacesItself: backend.pacesItself)
            return member
        }
    }

    /// In the order of unsealing.
    public let members: [Member]
    /// How long one attempt to open a KEK may take, all members together.
    public let openDeadline: Duration
    let log: Log

    /// A chain of these backends; asks none of them.
    ///
    /// - Parameter openDeadline: how long one attempt to open a KEK may take; nil for the sum of the members' deadlines.
    public init(_ members: [Member], openDeadline: Duration? = nil, log: Log) {
        self.members = members
        self.openDeadline = openDeadline ?? members.reduce(.zero) { $0 + $1.deadline }
        self.log = log
    }

    /// The same chain with breakers by this clock.
    func paced(by pacing: Pacing) -> SealingChain {
        SealingChain(members.map { $0.paced(by: pacing) }, openDeadline: openDeadline, log: log)
    }

    /// Shuts all backends down at once. Returns at `until` at the latest, whether they are done or not.
    public func shutdown(until: ContinuousClock.Instant) async {
        await withDiscardingTaskGroup { group in
            for member in members {
                let backend = member.backend
                group.addTask {
                    _ = await Deadline.race(until: until + Member.grace) { await backend.shutdown(until: until) }
                }
            }
        }
    }
}

extension SealingChain.Member {
    /// Everything that `trousseau doctor` can check about the backend; that it does not answer in time is a finding.
    ///
    /// - Parameter limit: how long it may take.
    public func diagnose(within limit: Duration) async -> [Finding] {
        let backend = backend
        let until = ContinuousClock.now + limit
        let findings = await Deadline.race(until: until + Self.grace) { await backend.diagnose(until: until) }
        return findings ?? [
            Finding(
                .error, "calls", "no answer in \(limit.components.seconds) s",
                hint: "check the device and the way to it")
        ]
    }
}
