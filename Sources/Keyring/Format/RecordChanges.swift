/// How a record comes to be and changes. Each change remakes the MAC, so each needs the KEK.
extension Record {
    /// The first record of a KEK.
    ///
    /// - Parameters:
    ///   - seals: of this KEK, one a recipient.
    ///   - vouchers: for this identity, by earlier KEKs.
    /// - Throws: `conflict`, `malformed`, `tooLarge`, `cryptography`.
    public static func make(
        _ identity: Identity, kek: KEK, seals: [Seal], vouchers: [Voucher]
    ) throws(FormatError) -> Record {
        var entries: [SharedSeal] = []
        for seal in seals {
            guard seal.kekID == identity.kekID else { throw otherKEK }
            entries.append(try SharedSeal(seal, counter: 1))
        }
        return try Record(identity: identity, seals: entries, vouchers: vouchers, unknown: [], under: kek)
    }

    /// The first record of a KEK, with its identity made here.
    ///
    /// - Parameters:
    ///   - generation: from 1.
    ///   - created: seconds since 1970-01-01T00:00:00Z, for display only.
    ///   - voucherFloor: while this KEK is active, vouchers by lower generations do not count.
    ///   - vouchedBy: earlier KEKs with their generations.
    /// - Throws: `conflict`, `malformed`, `tooLarge`, `cryptography`.
    public static func make(
        kek: KEK, keyring: KeyringIdentity, generation: UInt64, created: UInt64, voucherFloor: UInt64, seals: [Seal],
        vouchedBy earlier: [(kek: KEK, generation: UInt64)] = []
    ) throws(FormatError) -> Record {
        let identity = try Identity(
            kekID: kek.id, keyring: keyring, generation: generation, created: created, voucherFloor: voucherFloor)
        var vouchers: [Voucher] = []
        for (kek, generation) in earlier {
            vouchers.append(try Voucher(for: identity, by: kek, generation: generation))
        }
        return try make(identity, kek: kek, seals: seals, vouchers: vouchers)
    }

    /// The record with this seal in place of whatever it says about the seal's recipient.
    ///
    /// - Throws: `conflict`, `tooLarge`, `cryptography`, `notAuthentic` when the record is not the KEK's.
    public func setting(_ seal: Seal, under kek: KEK) throws(FormatError) -> Record {
        guard seal.kekID == identity.kekID else { throw Record.otherKEK }
        let old = entry(for: seal.recipient.id)
        return try replacing(try SharedSeal(seal, counter: try Record.next(old)), under: kek)
    }

    /// The record with a tombstone for a recipient that it has.
    ///
    /// - Throws: `conflict` when it has none; `cryptography`, `notAuthentic` when the record is not the KEK's.
    public func removing(_ recipientID: String, under kek: KEK) throws(FormatError) -> Record {
        guard let old = entry(for: recipientID), !old.isTombstone else {
            throw FormatError(.conflict, "record", "\(recipientID) is not a recipient")
        }
        return try replacing(try SharedSeal(removing: old, counter: try Record.next(old)), under: kek)
    }

    /// The record with this entry as it is, instead of any other for its recipient.
    func replacing(_ entry: SharedSeal, under kek: KEK) throws(FormatError) -> Record {
        guard isAuthentic(under: kek) else { throw Record.notAuthentic }
        let others = seals.filter { $0.recipientID != entry.recipientID }
        return try Record(
            identity: identity, seals: others + [entry], vouchers: vouchers, unknown: unknown, under: kek)
    }

    private static func next(_ old: SharedSeal?) throws(FormatError) -> UInt64 {
        let (counter, overflow) = (old?.counter ?? 0).addingReportingOverflow(1)
        guard !overflow else { throw FormatError(.tooLarge, "record", "a recipient's counter is at its end; rotate") }
        return counter
    }

    static let otherKEK = FormatError(.conflict, "record", "a seal of another KEK")
    static let notAuthentic = FormatError(.notAuthentic, "record", "its MAC is not that of its KEK")
}
