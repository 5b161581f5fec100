/// The union of two versions of one record: commutative, associative, idempotent.
extension Record {
    /// The union, with a new MAC. Nothing is lost: what does not fit is an error.
    ///
    /// Of two entries for one recipient that with the higher counter wins, then the lower encoding. One voucher a KEK:
    /// the higher generation, then the lower encoding; of all of them the first 32 in that order. Unknown fields are a
    /// set.
    ///
    /// - Throws: `conflict` unless the identities are equal; `notAuthentic` unless both MACs are this KEK's; `tooLarge`
    ///   when there are more than 32 recipients or 8192 bytes; `cryptography`.
    public func merged(with other: Record, under kek: KEK) throws(FormatError) -> Record {
        guard identity.encoded == other.identity.encoded else {
            throw FormatError(.conflict, "record", "two records of different identity cannot be merged")
        }
        guard isAuthentic(under: kek), other.isAuthentic(under: kek) else { throw Record.notAuthentic }
        let union = Record.union(seals, other.seals)
        return try Record(
            identity: identity, seals: union, vouchers: Record.union(vouchers, other.vouchers),
            unknown: Record.union(unknown, other.unknown), under: kek)
    }

    static func union(_ a: [SharedSeal], _ b: [SharedSeal]) -> [SharedSeal] {
        Array(
            Dictionary((a + b).map { ($0.recipientID, $0) }) { $1.wins(over: $0) ? $1 : $0 }.values)
    }

    static func union(_ a: [Voucher], _ b: [Voucher]) -> [Voucher] {
        let best = Dictionary((a + b).map { ($0.kekID, $0) }) { $1.precedes($0) ? $1 : $0 }.values
        return Array(best.sorted { $0.precedes($1) }.prefix(maximumVouchers))
    }

    static func union(_ a: [UnknownField], _ b: [UnknownField]) -> [UnknownField] {
        Set(a).union(b).sorted()
    }
}
