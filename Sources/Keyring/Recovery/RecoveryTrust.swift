/// Which of the KEKs that a recovery has opened are believed. Anyone can seal a KEK of his own to a public key, so that a
/// seal opens says nothing by itself.
enum RecoveryTrust {
    /// A KEK that was opened, with its record; the record's MAC is the KEK's.
    struct Opened: Sendable {
        let trusted: TrustedKEK
        let record: Record
        /// Whether a seal opened that only the sealing key itself can have made.
        let isAuthenticated: Bool
    }

    /// The believed ones: those that the operator's key_ids name and those of an authenticated seal; then, in ascending
    /// order of generations, those that a believed KEK vouches for, and those whose own voucher stands in a believed
    /// record, which only the holder of that record's KEK can have put there.
    ///
    /// Vouchers of a generation below the voucher floor of a believed record do not count.
    static func believed(_ opened: [Opened], keyIDs: [KeyID]) -> Set<KEKID> {
        let ascending = opened.sorted { $0.trusted.identity.generation < $1.trusted.identity.generation }
        var believed = ascending.filter { kek in
            kek.isAuthenticated || keyIDs.contains { $0.names(kek.trusted.identity) }
        }
        while true {
            let known = Set(believed.map(\.trusted.identity.kekID))
            let floor = believed.map(\.trusted.identity.voucherFloor).max() ?? 0
            let next = ascending.first { candidate in
                !known.contains(candidate.trusted.identity.kekID)
                    && (AdoptionRules.voucher(for: candidate.record, among: believed.map(\.trusted), floor: floor)
                        != nil
                        || believed.contains { candidate.trusted.vouches(for: $0.record) })
            }
            guard let next else { return known }
            believed.append(next)
        }
    }
}

extension KeyID {
    /// Whether it names this KEK, with whatever publication.
    func names(_ identity: Identity) -> Bool {
        name == identity.keyring.name && generation == identity.generation && kek == identity.kekID.description
    }
}
