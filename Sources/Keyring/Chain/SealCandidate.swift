/// A seal and the member of the chain that may open it.
struct SealCandidate: Sendable, Hashable {
    /// The member's index.
    let member: Int
    let seal: Seal
    /// Whether it is of use on this node only.
    let isLocal: Bool
    /// Whether only the sealing key itself can have made it.
    let isAuthenticated: Bool

    static func == (a: SealCandidate, b: SealCandidate) -> Bool { a.member == b.member && a.seal == b.seal }

    func hash(into hasher: inout Hasher) {
        hasher.combine(member)
        hasher.combine(seal)
    }
}

extension SealingChain {
    /// Which member may open which seal, in the order in which they are to be asked: that of the members; then local
    /// seals before shared ones, and authenticated before others. Members that open nothing are none.
    func candidates(local: [Seal], shared: [Seal]) -> [SealCandidate] {
        members.indices.filter { members[$0].backend.canUnseal }.flatMap { index in
            let backend = members[index].backend
            func candidates(_ seals: [Seal], isLocal: Bool) -> [SealCandidate] {
                let own = seals.filter { backend.serves($0.recipient) }.map {
                    SealCandidate(
                        member: index, seal: $0, isLocal: isLocal, isAuthenticated: backend.isAuthenticated($0))
                }
                return own.filter(\.isAuthenticated) + own.filter { !$0.isAuthenticated }
            }
            return candidates(local, isLocal: true) + candidates(shared, isLocal: false)
        }
    }
}
