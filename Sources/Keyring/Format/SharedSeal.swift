internal import CKMSProto

/// What a record says about one recipient: a seal of the KEK, or that the recipient was removed.
public struct SharedSeal: Sendable, Hashable {
    /// 2048 bytes.
    public static let maximumSealSize = 2048
    /// 512 bytes.
    public static let maximumDescriptionSize = RecipientRules.maximumDescriptionSize

    /// The recipient's ID: kind, ":", and up to 64 lower-case letters and digits.
    public let recipientID: String
    /// From 1. Of two entries for one recipient that with the higher counter wins.
    public let counter: UInt64
    /// The backend's kind; this version need not know it.
    public let kind: String
    /// The seal; nil is a tombstone.
    public let live: Live?
    /// Fields of later versions.
    let unknown: [UnknownField]
    /// The entry's canonical encoding: the lower one wins when the counters are equal.
    let encoded: [UInt8]

    /// What a tombstone does not have.
    public struct Live: Sendable, Hashable {
        /// The backend's own description of the recipient, at most 512 bytes.
        public let description: [UInt8]
        /// 1 to 2048 bytes in the backend's own format.
        public let seal: [UInt8]
    }

    /// Whether the recipient was removed.
    public var isTombstone: Bool { live == nil }

    /// An entry for a seal.
    ///
    /// - Throws: `malformed`, `tooLarge`.
    init(_ seal: Seal, counter: UInt64) throws(FormatError) {
        try self.init(
            recipientID: seal.recipient.id, counter: counter, kind: seal.recipient.kind,
            live: Live(description: seal.recipient.description, seal: seal.bytes), unknown: [])
    }

    /// A tombstone.
    init(removing entry: SharedSeal, counter: UInt64) throws(FormatError) {
        try self.init(
            recipientID: entry.recipientID, counter: counter, kind: entry.kind, live: nil, unknown: entry.unknown)
    }

    /// - Throws: `malformed`, `tooLarge`.
    init(
        recipientID: String, counter: UInt64, kind: String, live: Live?, unknown: [UnknownField]
    ) throws(FormatError) {
        try RecipientRules.check(
            Recipient(id: recipientID, kind: kind, description: live?.description ?? []))
        guard counter > 0 else { throw FormatError(.malformed, "record", "the counter of \(recipientID) is 0") }
        if let live {
            guard 1...SharedSeal.maximumSealSize ~= live.seal.count else {
                throw FormatError(
                    live.seal.isEmpty ? .malformed : .tooLarge, "record",
                    "the seal to \(recipientID) has \(live.seal.count) bytes, not 1 to \(SharedSeal.maximumSealSize)")
            }
        }
        self.recipientID = recipientID
        self.counter = counter
        self.kind = kind
        self.live = live
        self.unknown = unknown
        let arena = WireArena()
        encoded = withExtendedLifetime(arena) {
            TrousseauKeyring__SharedSeal.encode(
                SharedSeal.message(recipientID, counter, kind, live, unknown, in: arena))
        }
    }

    init(_ message: TrousseauKeyring__SharedSeal) throws(FormatError) {
        let recipientID = message.recipient_id.array
        let kind = message.kind.array
        try RecipientRules.check(id: recipientID, kind: kind)
        var live: Live?
        if message.tombstone == 0 {
            live = Live(description: message.description.array, seal: message.seal.array)
        } else if message.description.len > 0 || message.seal.len > 0 {
            throw FormatError(.malformed, "record", "a tombstone holds a seal")
        }
        try self.init(
            recipientID: String(decoding: recipientID, as: UTF8.self), counter: message.counter,
            kind: String(decoding: kind, as: UTF8.self), live: live, unknown: try message.unknownFields("record"))
    }

    /// As a part of a record.
    func message(in arena: WireArena) -> TrousseauKeyring__SharedSeal {
        SharedSeal.message(recipientID, counter, kind, live, unknown, in: arena)
    }

    private static func message(
        _ recipientID: String, _ counter: UInt64, _ kind: String, _ live: Live?, _ unknown: [UnknownField],
        in arena: WireArena
    ) -> TrousseauKeyring__SharedSeal {
        var message = TrousseauKeyring__SharedSeal.empty()
        message.recipient_id = arena.binary(recipientID)
        message.counter = counter
        message.kind = arena.binary(kind)
        message.description = arena.binary(live?.description ?? [])
        message.seal = arena.binary(live?.seal ?? [])
        message.tombstone = live == nil ? 1 : 0
        arena.attach(unknown, to: &message.base)
        return message
    }

    /// Whether this entry wins over another one for the same recipient.
    func wins(over other: SharedSeal) -> Bool {
        if counter != other.counter { return counter > other.counter }
        return encoded.lexicographicallyPrecedes(other.encoded)
    }

    /// The seal of the record's KEK; nil for a tombstone.
    func seal(of kekID: KEKID) -> Seal? {
        guard let live else { return nil }
        let recipient = Recipient(id: recipientID, kind: kind, description: live.description)
        return Seal(recipient: recipient, kekID: kekID, bytes: live.seal)
    }
}
