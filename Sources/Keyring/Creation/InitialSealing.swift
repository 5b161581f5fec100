/// A new KEK sealed to every backend that seals.
enum InitialSealing {
    /// What one backend did.
    struct Outcome: Sendable {
        let backend: String
        let kind: String
        /// Opened again and compared.
        var seals: [Seal] = []
        /// Why it did not do everything.
        var error: SealingError?

        /// For `init` to print.
        var reports: [SealReport] {
            var reports = seals.map {
                SealReport(
                    recipientID: $0.recipient.id, kind: kind, backend: backend, state: .verified, age: .zero)
            }
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
        var outcome = Outcome(backend: member.backend.name, kind: member.backend.kind)
        let told = await member.call("recipients") { (backend, until) throws(SealingError) in
            try await backend.recipients(generateMissingKey: generateMissingKeys, until: until)
        }
        do throws(SealingError) {
            let recipients = try told.result.get()
            guard !recipients.isEmpty else { throw SealingError(.operatorMustAct, "it has no sealing key") }
            for recipient in recipients {
                outcome.seals.append(try await member.sealVerified(kek, to: recipient).result.get())
            }
        } catch {
            outcome.error = error
        }
        return outcome
    }

    /// Two seals to one key are one seal: if it is lost, both are.
    private static func refuseTwins(_ outcomes: inout [Outcome]) {
        var owners: [String: String] = [:]
        for index in outcomes.indices {
            for seal in outcomes[index].seals {
                guard let owner = owners[seal.recipient.id] else {
                    owners[seal.recipient.id] = outcomes[index].backend
                    continue
                }
                outcomes[index].seals.removeAll { $0.recipient.id == seal.recipient.id }
                outcomes[index].error = SealingError(
                    .operatorMustAct, "its sealing key is that of backend \(owner)",
                    hint: "give it a key of its own, or remove it from the configuration")
            }
        }
    }

    /// - Throws: `tooFewSeals`, which names each backend that failed and why.
    static func check(_ outcomes: [Outcome], _ minimumSeals: Int?, _ log: Log) throws(KeyringError) {
        let failed = outcomes.filter { $0.error != nil || $0.seals.isEmpty }
        let sealed = outcomes.count - failed.count
        let reasons = failed.map { "\($0.backend): \($0.error?.message ?? "no seal")" }.joined(separator: "; ")
        guard sealed > 0, sealed >= minimumSeals ?? outcomes.count else {
            let wanted =
                "\(sealed) of \(outcomes.count) backends sealed the KEK, \(minimumSeals ?? outcomes.count) have to"
            throw KeyringError(
                .tooFewSeals, reasons.isEmpty ? "no backend seals" : "\(wanted): \(reasons)",
                hint: failed.compactMap { $0.error?.hint }.first
                    ?? (outcomes.isEmpty ? "configure a backend that is not unsealOnly" : nil),
                cause: failed.first?.error)
        }
        for outcome in failed {
            log(
                .warning, "a backend did not seal the KEK; the running plugin makes up for it",
                ("backend", outcome.backend), ("reason", outcome.error.map { "\($0)" } ?? ""))
        }
    }
}
