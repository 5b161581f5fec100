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
        let calls = OutstandingCalls()

        /// A backend with its limits.
        public init(_ backend: any SealingBackend, unsealOnly: Bool, deadline: Duration) {
            self.backend = backend
            self.unsealOnly = unsealOnly
            self.deadline = deadline
        }
    }

    /// In the order of unsealing.
    public let members: [Member]
    let log: Log

    /// A chain of these backends; asks none of them.
    public init(_ members: [Member], log: Log) {
        self.members = members
        self.log = log
    }

    /// Everything that `trousseau doctor` can check about the backends, one after the other; a backend that does not
    /// answer in time is a finding.
    public func diagnose(until: ContinuousClock.Instant) async -> [Finding] {
        var findings: [Finding] = []
        for member in members {
            let backend = member.backend
            let limit = min(ContinuousClock.now + member.deadline, until)
            let answer = await Deadline.race(until: limit + Member.grace) { await backend.diagnose(until: limit) }
            findings +=
                answer ?? [
                    Finding(
                        .error, backend.name, "no answer in time", hint: "check the device and the way to it")
                ]
        }
        return findings
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
