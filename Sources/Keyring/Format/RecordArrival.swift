/// What comes of another version of a record that arrived from elsewhere.
public struct RecordArrival: Sendable {
    /// The record with everything that may be taken as it is.
    public let record: Record
    /// Newer seals to recipients whose seal this node can open: each replaces the old one (`Record.replacing`) only
    /// after it was opened here.
    public let toOpenFirst: [SharedSeal]
}

extension Record {
    /// Takes what another version of this record may give. Whoever holds an old KEK can make MACs for its record, so:
    ///
    /// - a live seal to a recipient that the record does not have is added;
    /// - a newer seal replaces one that this node cannot open, and waits to be opened if it can;
    /// - tombstones and vouchers count only in the record of the KEK that is active here.
    ///
    /// - Parameters:
    ///   - isActive: whether this is the record of the KEK that is active here.
    ///   - opensHere: whether this node can open the recipient's seals.
    /// - Throws: `conflict`, `notAuthentic`, `tooLarge`, `cryptography`; this record stays as it is then.
    public func adding(
        _ other: Record, isActive: Bool, under kek: KEK, opensHere: (SharedSeal) -> Bool
    ) throws(FormatError) -> RecordArrival {
        guard identity.encoded == other.identity.encoded else {
            throw FormatError(.conflict, "record", "two records of different identity cannot be merged")
        }
        guard isAuthentic(under: kek), other.isAuthentic(under: kek) else { throw Record.notAuthentic }
        var seals = Dictionary(seals.map { ($0.recipientID, $0) }) { first, _ in first }
        var toOpenFirst: [SharedSeal] = []
        for entry in other.seals where isActive || !entry.isTombstone {
            if let own = seals[entry.recipientID] {
                guard entry.wins(over: own) else { continue }
                let replacesSeal = !own.isTombstone && !entry.isTombstone && own.live != entry.live
                if replacesSeal && opensHere(own) {
                    toOpenFirst.append(entry)
                    continue
                }
            }
            seals[entry.recipientID] = entry
        }
        let record = try Record(
            identity: identity, seals: Array(seals.values),
            vouchers: isActive ? Record.union(vouchers, other.vouchers) : vouchers,
            unknown: isActive ? Record.union(unknown, other.unknown) : unknown, under: kek)
        return RecordArrival(record: record, toOpenFirst: toOpenFirst)
    }
}
