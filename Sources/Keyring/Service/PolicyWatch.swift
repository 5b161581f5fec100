internal import Synchronization

/// Keeps those who look at the policies often, a monitoring program say, from asking the device as often: one question at a
/// time, and an answer that is good for a while.
actor PolicyWatch {
    private let freshness: Duration

    private struct Answer {
        let at: ContinuousClock.Instant
        let recipients: [Recipient]
        let reports: [PolicyReport]
    }

    private var answers: [Int: Answer] = [:]
    private var running: [Int: (recipients: [Recipient], task: Task<[PolicyReport], Never>)] = [:]

    /// - Parameter freshness: how long an answer is good for.
    init(freshness: Duration = .seconds(5)) { self.freshness = freshness }

    /// The answer of a member, from `ask` if there is no fresh one.
    func reports(
        _ member: Int, _ recipients: [Recipient], _ ask: @escaping @Sendable () async -> [PolicyReport]
    ) async -> [PolicyReport] {
        if let answer = answers[member], answer.recipients == recipients, .now - answer.at < freshness {
            return answer.reports
        }
        if let running = running[member], running.recipients == recipients { return await running.task.value }
        let task = Task { await ask() }
        running[member] = (recipients, task)
        let reports = await task.value
        running[member] = nil
        answers[member] = Answer(at: .now, recipients: recipients, reports: reports)
        return reports
    }
}

extension KeyringService {
    /// Whether the policies of the active KEK's seals are satisfied now, as the backends that have such tell. Asks their
    /// devices, at most every few seconds.
    ///
    /// - Parameter until: what was not told then is not known; it returns a tenth of a second later at the latest.
    public func policies(until: ContinuousClock.Instant) async -> [PolicyReport] {
        let recipients = state.withLock { state -> [Recipient] in
            guard let kek = state.keks[state.roles.active.kekID] else { return [] }
            return kek.local.map(\.recipient) + kek.record.liveSeals.map(\.recipient)
        }
        let watch = policyWatch
        return await withTaskGroup(of: (Int, [PolicyReport]).self) { group in
            for (index, member) in chain.members.enumerated() {
                guard let backend = member.backend as? any MeasuredBackend else { continue }
                group.addTask {
                    let asked = await watch.reports(index, recipients) {
                        await backend.policies(of: recipients, until: until)
                    }
                    return (index, asked)
                }
            }
            var all: [(Int, [PolicyReport])] = []
            for await one in group { all.append(one) }
            return all.sorted { $0.0 < $1.0 }.flatMap(\.1)
        }
    }
}
