internal import Synchronization

/// What becomes of the recipients that are being replaced, and of everything else that `reseal` does not seal to.
extension ResealRun {
    /// Removes the recipients of backends that only unseal, if that is wanted: a KEK's only if every backend that seals
    /// has done its part for it in this run and at least `minimumSeals` seals of it were opened.
    ///
    /// - Parameter rows: of this run.
    func retire(after rows: [Row]) -> [Row] {
        keks.flatMap { kek -> [Row] in
            guard let record = record(of: kek) else { return [] }
            let retiring = record.liveSeals.compactMap { seal in
                retiringMember(seal.recipient).map { (member: $0, recipient: seal.recipient) }
            }
            guard !retiring.isEmpty || hasRetiringLocally(kek) else { return [] }
            guard options.dropReplaced else {
                return retiring.map {
                    row(kek, $0.member, $0.recipient, .kept, note: "only unseals; --drop-replaced removes it")
                }
            }
            if let reason = obstacle(kek, rows) {
                return retiring.map {
                    row(
                        kek, $0.member, $0.recipient, .failed, note: "not removed: \(reason)",
                        hint: "mend that, and run reseal --drop-replaced again")
                }
            }
            // In one change: the record is never without some of them only.
            let problem = service.change(kek) { (record) throws(FormatError) in
                var next = record
                for one in retiring { next = try next.removing(one.recipient.id, under: kek.trusted.kek) }
                return next
            }
            let dropped = retiring.map {
                row(kek, $0.member, $0.recipient, problem == nil ? .dropped : .failed, note: problem)
            }
            return problem == nil ? dropped + retireLocally(kek) : dropped
        }
    }

    /// The member that only unseals and has this sealing key, unless one that seals has it, too.
    func retiringMember(_ recipient: Recipient) -> Int? {
        let members = service.chain.members
        let serving = members.indices.filter { members[$0].backend.serves(recipient) }
        return serving.allSatisfy { members[$0].unsealOnly } ? serving.first : nil
    }

    private func hasRetiringLocally(_ kek: OpenedKEK) -> Bool {
        local(kek).contains { retiringMember($0.recipient) != nil }
    }

    /// Why this KEK cannot do without the seals that are to go.
    private func obstacle(_ kek: OpenedKEK, _ rows: [Row]) -> String? {
        let own = rows.filter { $0.kekID == kek.trusted.identity.kekID }
        for member in service.chain.members where !member.unsealOnly {
            let name = member.backend.name
            let mine = own.filter { $0.backend == name }
            guard !mine.isEmpty, mine.allSatisfy({ $0.outcome != .failed }) else {
                return "\(name) has no seal of this KEK that was opened"
            }
            let isOpened = mine.allSatisfy { $0.isVerified || $0.isLocal } && mine.contains(where: \.isVerified)
            guard !member.backend.canUnseal || isOpened else {
                return "the seal of \(name) was not opened"
            }
        }
        let verified = Set(own.filter(\.isVerified).map(\.backend)).count
        let wanted = max(1, service.minimumSeals)
        return verified < wanted ? "\(verified) seals were opened, \(wanted) have to be (minimumSeals)" : nil
    }

    /// Rows for KEKs that are not open, and for seals that no backend of this node has the key of.
    func remaining(beside rows: [Row]) -> [Row] {
        let state = service.state.withLock { $0 }
        return state.keks.values.flatMap { kek -> [Row] in
            let identity = kek.record.identity
            guard keks.contains(where: { $0.trusted.identity.kekID == identity.kekID }) else {
                return [
                    Row(
                        generation: identity.generation, kekID: identity.kekID, backend: nil, kind: "",
                        recipientID: nil, outcome: .failed, isVerified: false,
                        note: "the KEK is not open" + (kek.trouble.map { ": \($0.reason)" } ?? ""),
                        hint: kek.trouble?.hint)
                ]
            }
            return kek.record.liveSeals.map(\.recipient).filter { recipient in
                !service.chain.members.contains { $0.backend.serves(recipient) }
            }.map { recipient in
                Row(
                    generation: identity.generation, kekID: identity.kekID, backend: nil, kind: recipient.kind,
                    recipientID: recipient.id, outcome: .kept, isVerified: false,
                    note: "no backend of this node has its key", hint: nil)
            }
        }
    }
}
