internal import Synchronization

/// What becomes of the recipients that are being replaced, and of everything else that `reseal` does not seal to.
extension ResealRun {
    /// A seal that is to go.
    struct Retiring {
        let member: Int
        let seal: Seal
        let isLocal: Bool
        /// Whether the backend goes on sealing, but to this node only: the one in the record opens without what it wants.
        let isUnguarded: Bool
    }

    /// Removes the recipients of backends that only unseal, and those whose seals are to stay on this node, if that is
    /// wanted: a KEK's only if every backend that seals has done its part for it in this run and at least `minimumSeals`
    /// seals of it were opened.
    ///
    /// What is removed leaves a tombstone: without it the seal would come back with the next record from elsewhere.
    ///
    /// - Parameter rows: of this run.
    func retire(after rows: [Row]) async -> [Row] {
        var result: [Row] = []
        for kek in keks {
            let (retiring, doubtful) = await retiring(kek)
            result += doubtful.map(doubt(kek))
            guard !retiring.isEmpty else { continue }
            guard options.dropReplaced else {
                result += retiring.map { remaining(kek, $0) }
                continue
            }
            if let reason = obstacle(kek, rows) {
                result += retiring.map {
                    row(
                        kek, $0.member, $0.seal.recipient, .failed, isLocal: $0.isLocal, note: "not removed: \(reason)",
                        hint: "mend that, and run reseal --drop-replaced again")
                }
                continue
            }
            // In one change: the record is never without some of them only.
            let shared = retiring.filter { !$0.isLocal }
            let problem = service.change(kek) { (record) throws(FormatError) in
                var next = record
                for one in shared { next = try next.removing(one.seal.recipient.id, under: kek.trusted.kek) }
                return next
            }
            result += shared.map {
                row(kek, $0.member, $0.seal.recipient, problem == nil ? .dropped : .failed, note: problem)
            }
            if problem == nil { result += retireLocally(kek, retiring.filter(\.isLocal)) }
        }
        return result
    }

    /// What is to go, and what may be: of a backend that does not know its own key yet (a TPM without its pin) that takes
    /// every key of its kind for its own. A tombstone for another node's key would take that node's seal away.
    private func retiring(_ kek: OpenedKEK) async -> (certain: [Retiring], doubtful: [Retiring]) {
        guard let record = record(of: kek) else { return ([], []) }
        let all = record.liveSeals.map { ($0, false) } + local(kek).map { ($0, true) }
        var certain: [Retiring] = []
        var doubtful: [Retiring] = []
        for (seal, isLocal) in all {
            // What the backend wants on this node is none of it.
            let isOnlyHere = isLocal && record.entry(for: seal.recipient.id) == nil
            let unguarded = isOnlyHere ? nil : unguardedMember(seal.recipient)
            guard let member = retiringMember(seal.recipient) ?? unguarded else { continue }
            let one = Retiring(member: member, seal: seal, isLocal: isLocal, isUnguarded: unguarded != nil)
            if await isOwn(kek, one) { certain.append(one) } else { doubtful.append(one) }
        }
        return (certain, doubtful)
    }

    /// The member that only unseals and has this sealing key, unless one that seals has it, too.
    private func retiringMember(_ recipient: Recipient) -> Int? {
        let members = service.chain.members
        let serving = members.indices.filter { members[$0].backend.serves(recipient) }
        return serving.allSatisfy { members[$0].unsealOnly } ? serving.first : nil
    }

    /// The member that seals, has this sealing key, and said in this run that it wants no seals in the record, only such
    /// as stay on this node; unless another one wants it there.
    private func unguardedMember(_ recipient: Recipient) -> Int? {
        let members = service.chain.members
        let health = service.state.withLock { $0.health }
        let serving = members.indices.filter { !members[$0].unsealOnly && members[$0].backend.serves(recipient) }
        guard !serving.contains(where: { health[$0].recipients?.contains { $0.id == recipient.id } ?? true }) else {
            return nil
        }
        return serving.first {
            SealCurrency(
                recipient, isLocal: false, shared: health[$0].recipients ?? [], local: health[$0].localRecipients)
                == .unguarded
        }
    }

    /// Whether it is certain that the backend has the seal's key: by its pin in the keyring, or because it opens the seal.
    private func isOwn(_ kek: OpenedKEK, _ one: Retiring) async -> Bool {
        let member = service.chain.members[one.member]
        let known = keks.first.flatMap { service.pins($0) }?.recipients(of: member.backend.name) ?? []
        if known.contains(one.seal.recipient.id) { return true }
        guard options.dropReplaced, member.backend.canUnseal else { return false }
        return await member.verify(one.seal, is: kek.trusted.kek, until: until).error == nil
    }

    private func doubt(_ kek: OpenedKEK) -> (Retiring) -> Row {
        { one in
            let name = service.chain.members[one.member].backend.name
            return row(
                kek, one.member, one.seal.recipient, options.dropReplaced ? .failed : .kept, isLocal: one.isLocal,
                note: options.dropReplaced
                    ? "not removed: it may be another node's key: \(name) does not open it, and the keyring does not "
                        + "know \(name) by it"
                    : "may be the key of \(name): the keyring does not know \(name) by it",
                hint: options.dropReplaced
                    ? "give the backend the name that it sealed under, or bring its device back" : nil)
        }
    }

    private func remaining(_ kek: OpenedKEK, _ one: Retiring) -> Row {
        guard one.isUnguarded else {
            return row(
                kek, one.member, one.seal.recipient, .kept, isLocal: one.isLocal,
                note: "only unseals; --drop-replaced removes it")
        }
        let name = service.chain.members[one.member].backend.name
        return row(
            kek, one.member, one.seal.recipient, .failed, isLocal: one.isLocal,
            note: "it opens without what \(name) wants today (a PIN), from the record, etcd and every backup",
            hint: "reseal --drop-replaced removes it from the record; then see docs/tpm.md about the copies")
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
