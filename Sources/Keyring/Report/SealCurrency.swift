/// Whether a seal is one that its backend would make today.
enum SealCurrency: Sendable, Hashable {
    case current
    /// The backend describes its key otherwise today: it has another policy, say.
    case outdated
    /// A seal in the record to a key whose seals are to stay on this node: it opens without what the backend wants now, a
    /// PIN say.
    case unguarded
    /// Of this node, and not wanted any more.
    case unwanted

    /// - Parameters:
    ///   - shared: what the backend says are its recipients for the record.
    ///   - local: and those of this node; nil when it has not told.
    /// - Returns: nil when that says nothing about the seal.
    init?(_ recipient: Recipient, isLocal: Bool, shared: [Recipient], local: [Recipient]?) {
        if let today = (shared + (isLocal ? local ?? [] : [])).first(where: { $0.id == recipient.id }) {
            self = today == recipient ? .current : .outdated
        } else if isLocal {
            guard let local, !local.isEmpty else { return nil }
            self = .unwanted
        } else {
            guard shared.isEmpty, let local, !local.isEmpty else { return nil }
            self = .unguarded
        }
    }

    /// In what way the seal is outdated, and what to do about it; nil when it is not.
    ///
    /// - Parameter renews: the options by which `reseal` makes such a seal anew.
    func problem(renews: String = "") -> String? {
        switch self {
        case .current: nil
        case .outdated:
            "made under another policy or description of the key than the backend has today; run trousseau "
                + "reseal\(renews)"
        case .unguarded:
            "it opens without what the backend wants today (a PIN), from the record, etcd and every backup; run "
                + "trousseau reseal --drop-replaced"
        case .unwanted: "the backend wants another one today; run trousseau reseal"
        }
    }

    /// As above, for a backend.
    func problem(_ backend: any SealingBackend) -> String? {
        // What nobody opens here is made anew only on the operator's word.
        problem(renews: backend.canUnseal ? "" : " --backend \(backend.name)")
    }
}
