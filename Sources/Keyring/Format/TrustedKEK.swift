/// An open KEK with the identity that its record gives it; the record's MAC was checked.
public struct TrustedKEK: Sendable {
    /// What its record says.
    public let identity: Identity
    /// The key.
    public let kek: KEK

    /// Pairs a KEK with its identity; nil when they do not belong together.
    public init?(_ identity: Identity, _ kek: KEK) {
        guard kek.matches(identity.kekID) else { return nil }
        self.identity = identity
        self.kek = kek
    }

    /// Whether the record has this KEK's voucher.
    func vouches(for record: Record) -> Bool {
        record.identity.keyring == identity.keyring
            && record.vouchers.contains { $0.isValid(for: record.identity, by: kek, generation: identity.generation) }
    }
}
