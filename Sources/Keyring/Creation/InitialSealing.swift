/// A new KEK sealed to every backend that seals.
enum InitialSealing {
    /// What one backend did.
    struct Outcome: Sendable {
        let backend: String
        let kind: String
        /// Whether its seals were opened again and compared; false for a backend that opens nothing.
        let isVerified: Bool
        /// What the backend said its sealing keys are; nil when it did not.
        var recipients: [Recipient]?
        /// Those of them whose seals stay on this node.
        var localRecipients: [Recipient] = []
        /// For the record.
        var seals: [Seal] = []
        /// For this node.
        var local: [LocalSealing.Made] = []
        /// Its sealing key is another backend's.
        var isTwin = false
        /// Why it did not do everything.
        var error: SealingError?

        /// Whether all that it wants was made.
        var isComplete: Bool { error == nil && !(seals.isEmpty && local.isEmpty) }

        /// For `init` to print.
        var reports: [SealReport] {
            var reports = seals.map {
                SealReport(
                    recipientID: $0.recipient.id, kind: kind, backend: backend,
                    state: isVerified ? .verified : .unverified, age: isVerified ? .zero : nil,
                    verifiedBy: isVerified ? backend : nil)
            }
            reports += local.map { SealReport($0, kind: kind, backend: backend) }
            if let error {
                reports.append(
                    SealReport(
                        recipientID: nil, kind: kind, backend: backend, state: .missing, problem: "\(error)"))
            }
            return reports
        }
    }

    /// Asks all of them at once.
    ///
    /// - Returns: in the order of the chain.
    static func run(_ kek: KEK, _ chain: SealingChain, generateMissingKeys: Bool) async -> [Outcome] {
        let members = chain.members.filter { !$0.unsealOnly }
        var outcomes = await withTaskGroup(of: (Int, Outcome).self) { group in
            for (index, member) in members.enumerated() {
                group.addTask { (index, await seal(kek, member, generateMissingKeys)) }
            }
            var all: [(Int, Outcome)] = []
            for await outcome in group { all.append(outcome) }
            return all.sorted { $0.0 < $1.0 }.map(\.1)
        }
        refuseTwins(&outcomes)
        return outcomes
    }

    private static func seal(_ kek: KEK, _ member: SealingChain.Member, _ generateMissingKeys: Bool) async -> Outcome {
        var outcome = Outcome(
            backend: member.backend.name, kind: member.backend.kind, isVerified: member.backend.canUnseal)
        let told = await member.call("recipients") { (backend, until) throws(SealingError) in
            try await backend.recipients(generateMissingKey: generateMissingKeys, until: until)
        }
        do throws(SealingError) {
            let recipients = try told.result.get()
            let local = try await member.localRecipients().result.get()
            guard !(recipients.isEmpty && local.isEmpty) else {
                throw SealingError(.operatorMustAct, "it has no sealing key")
            }
            outcome.recipients = recipients + local
            outcome.localRecipients = local
            for recipient in recipients {
                outcome.seals.append(try await member.makeSeal(kek, to: recipient).result.get())
            }
            let made = await member.makeLocalSeals(
                kek, to: local, besideAnOpenedOne: outcome.isVerified && !outcome.seals.isEmpty)
            outcome.local = made.made
            outcome.error = made.error
        } catch {
            outcome.error = error
        }
        return outcome
    }

    /// Two seals to one key are one seal: if it is lost, both are.
    private static func refuseTwins(_ outcomes: inout [Outcome]) {
        var owners: [String: String] = [:]
        for index in outcomes.indices {
            for recipient in outcomes[index].seals.map(\.recipient) + outcomes[index].local.map(\.seal.recipient) {
                guard let owner = owners[recipient.id] else {
                    owners[recipient.id] = outcomes[index].backend
                    continue
                }
                outcomes[index].seals.removeAll { $0.recipient.id == recipient.id }
                outcomes[index].local.removeAll { $0.seal.recipient.id == recipient.id }
                outcomes[index].isTwin = true
                outcomes[index].error = SealingError(
                    .operatorMustAct, "its sealing key is that of backend \(owner)",
                    hint: "give it a key of its own, or remove it from the configuration")
            }
        }
    }

    /// The backends by the keys that they told; one that did not answer is to be known by its first one. The operator
    /// wants seals of all of them, now or as soon as they are there.
    static func pins(_ outcomes: [Outcome]) -> [Pins.Entry] {
        outcomes.filter { !$0.isTwin }.map { Pins.Entry($0.backend, $0.recipients?.map(\.id) ?? []) }
    }

    /// A given minimum counts verified seals only. Without one, every backend has to have sealed, and one of them at
    /// least verified it: no KEK rests on seals that nobody has opened.
    ///
    /// - Throws: `tooFewSeals`, which names each backend that failed and why.
    static func check(_ outcomes: [Outcome], _ minimumSeals: Int?, _ log: Log) throws(KeyringError) {
        let failed = outcomes.filter { !$0.isComplete }
        let verified = outcomes.count { $0.isVerified && $0.isComplete }
        guard outcomes.contains(where: \.isVerified) else {
            throw KeyringError(
                .tooFewSeals, outcomes.isEmpty ? "no backend seals" : "no backend opens what it seals",
                hint: "configure a backend that seals and opens, such as an HSM")
        }
        guard verified > 0, minimumSeals.map({ verified >= $0 }) ?? failed.isEmpty else {
            let sealed = minimumSeals == nil ? outcomes.count - failed.count : verified
            let reasons = failed.map { "\($0.backend): \($0.error?.message ?? "no seal")" }.joined(separator: "; ")
            throw KeyringError(
                .tooFewSeals,
                "\(sealed) of \(outcomes.count) backends sealed the KEK, \(minimumSeals ?? outcomes.count) have to"
                    + (reasons.isEmpty ? "" : ": \(reasons)"), hint: failed.compactMap { $0.error?.hint }.first,
                cause: failed.first?.error)
        }
        for outcome in failed {
            log(
                .warning, "a backend did not seal the KEK; the running plugin makes up for it",
                ("backend", outcome.backend), ("reason", outcome.error.map { "\($0)" } ?? ""))
        }
    }
}
