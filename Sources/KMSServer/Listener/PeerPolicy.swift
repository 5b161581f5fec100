/// Whom a socket lets in: numeric uids and primary gids, as SO_PEERCRED shows them. A pid decides nothing: by the time
/// it is looked at, it may be another process's.
struct PeerPolicy: Sendable {
    /// What the kernel shows for ids that this user namespace does not map; the name `nobody` is no identity.
    static let unmapped: UInt32 = 65534

    let users: Set<UInt32>
    let groups: Set<UInt32>

    init(_ configuration: SocketConfiguration) {
        users = Set(configuration.allowUsers).subtracting([PeerPolicy.unmapped])
        groups = Set(configuration.allowGroups).subtracting([PeerPolicy.unmapped])
    }

    /// Nil when the peer is let in.
    func refusal(user: UInt32, group: UInt32) -> ServerStatistics.Refusal? {
        if user == PeerPolicy.unmapped { return .unmapped }
        return users.contains(user) || groups.contains(group) ? nil : .notAllowed
    }
}
