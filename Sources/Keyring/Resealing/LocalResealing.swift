internal import Synchronization

/// What `reseal` does with the seals that stay on this node.
extension ResealRun {
    /// Opens the KEK's local seals of a backend, makes those that are missing or do not open, and removes those that are
    /// not wanted any more, once their successors have opened.
    ///
    /// - Parameter rows: of this run, of the same backend.
    /// - Returns: also whether the backend is worth another call.
    func sealLocally(
        _ kek: OpenedKEK, _ index: Int, _ wanted: [Recipient], beside rows: [Row]
    ) async -> ([Row], Bool) {
        let member = service.chain.members[index]
        let kekID = kek.trusted.identity.kekID
        let there = service.state.withLock { $0.keks[kekID]?.localSeals(of: member.backend) ?? [] }
        var result: [Row] = []
        var opened: [Recipient] = []
        var refused: [(recipient: Recipient, reason: String)] = []
        for recipient in wanted where options.backend != member.backend.name {
            // One under another policy is made anew.
            guard let seal = there.first(where: { $0.recipient == recipient }) else { continue }
            let outcome = await member.verify(seal, is: kek.trusted.kek, until: until)
            let key = KEKState.SealKey(recipient.id, isLocal: true)
            switch outcome.error {
            case nil:
                service.verified(kekID, key, by: index, problem: nil)
                opened.append(recipient)
            case .some(let error) where error.errorClass == .permanent:
                service.verified(kekID, key, by: index, problem: error.message)
                refused.append((recipient, error.message))
            case .some(let error):
                return ([failed(kek, index, recipient, error, keeps: true, isLocal: true)], false)
            }
        }
        result += opened.map { row(kek, index, $0, .kept, isVerified: true, isLocal: true) }
        if !opened.isEmpty {
            // To a state that is past or to come, while another one opens.
            result += refused.map { row(kek, index, $0.recipient, .kept, isLocal: true, note: $0.reason) }
        }
        let missing = wanted.filter { one in
            !result.contains { $0.recipientID == one.id }
        }
        let isOpened = !opened.isEmpty || rows.contains { $0.kekID == kekID && $0.isVerified }
        let made = await member.makeLocalSeals(
            kek.trusted.kek, to: missing, besideAnOpenedOne: isOpened, until: until)
        let (stored, problem) = service.storeLocally(made.made, kek, by: index)
        if let problem {
            let error = SealingError(.permanent, problem)
            return (result + missing.map { failed(kek, index, $0, error, isLocal: true) }, true)
        }
        service.state.withLock { $0.keks[kekID]?.refuseLocally(index, nil, service.pacing) }
        let hasOpened = !opened.isEmpty || made.made.contains(where: \.isVerified)
        for made in made.made {
            let recipient = made.seal.recipient
            guard stored.contains(recipient.id) else {
                // It was not opened, and what is there may be what opens.
                let reason = "the new one does not open now: \(made.problem ?? "")"
                result.append(
                    hasOpened
                        ? row(
                            kek, index, recipient, .kept, isLocal: true,
                            note: "\(reason); the seal that is there was kept")
                        : failed(kek, index, recipient, SealingError(.permanent, reason), keeps: true, isLocal: true))
                continue
            }
            let wasThere = there.contains { $0.recipient.id == recipient.id }
            result.append(
                row(
                    kek, index, recipient, wasThere ? .renewed : .added, isVerified: made.isVerified,
                    isLocal: true, note: made.problem))
        }
        if let error = made.error {
            let rest = missing.filter { one in !made.made.contains { $0.seal.recipient.id == one.id } }
            for recipient in rest {
                let isThere = there.contains { $0.recipient.id == recipient.id }
                result.append(failed(kek, index, recipient, error, keeps: isThere, isLocal: true))
            }
            return (result, error.errorClass == .permanent)
        }
        return (result + drop(kek, index, there, wanted, after: result), true)
    }

    /// Removes what is not wanted any more, if one of its successors has opened.
    private func drop(
        _ kek: OpenedKEK, _ index: Int, _ there: [Seal], _ wanted: [Recipient], after rows: [Row]
    ) -> [Row] {
        let old = there.filter { seal in !wanted.contains { $0.id == seal.recipient.id } }
        guard rows.contains(where: \.isVerified) else {
            return old.map {
                row(kek, index, $0.recipient, .kept, isLocal: true, note: "none of its successors has opened yet")
            }
        }
        return old.map { seal in
            let problem = service.dropLocally(seal)
            return row(kek, index, seal.recipient, problem == nil ? .dropped : .failed, isLocal: true, note: problem)
        }
    }

    /// Removes local seals, after their recipients were removed from the record.
    func retireLocally(_ kek: OpenedKEK, _ retiring: [Retiring]) -> [Row] {
        retiring.map { one in
            let problem = service.dropLocally(one.seal)
            return row(
                kek, one.member, one.seal.recipient, problem == nil ? .dropped : .failed, isLocal: true, note: problem)
        }
    }

    func local(_ kek: OpenedKEK) -> [Seal] {
        service.state.withLock { $0.keks[kek.trusted.identity.kekID]?.local ?? [] }
    }
}
