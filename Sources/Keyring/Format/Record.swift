internal import CKMSProto
internal import Crypto

/// One KEK: its identity, its seals, and the vouchers of earlier KEKs. There is one encoding of it, and it is what the
/// MAC covers, what is stored, and what etcd carries.
public struct Record: Sendable, Hashable {
    /// 8192 bytes encoded.
    public static let maximumSize = 8192
    /// 32, tombstones included.
    public static let maximumSeals = 32
    /// 32.
    public static let maximumVouchers = 32

    /// What the KEK is.
    public let identity: Identity
    /// In ascending order of the recipients' IDs.
    public let seals: [SharedSeal]
    /// In ascending order of kekIDs.
    public let vouchers: [Voucher]
    /// Fields of later versions.
    let unknown: [UnknownField]
    /// 32 bytes: HMAC-SHA256 under the KEK's key "record".
    public let mac: [UInt8]
    /// The canonical encoding.
    public let encoded: [UInt8]

    static let domain = Array("trousseau record v1".utf8)

    /// Reads a record; only its canonical encoding is accepted. Its MAC is checked by `isAuthentic` only.
    ///
    /// - Throws: `malformed`, `unsupported`, `tooLarge`.
    public init(decoding bytes: [UInt8]) throws(FormatError) {
        guard bytes.count <= Record.maximumSize else {
            throw FormatError(.tooLarge, "record", "longer than \(Record.maximumSize) bytes")
        }
        self = try TrousseauKeyring__Record.decode(bytes, "record") { (message) throws(FormatError) in
            try Record(message, bytes)
        }
    }

    private init(_ message: TrousseauKeyring__Record, _ bytes: [UInt8]) throws(FormatError) {
        guard message.n_seals <= Record.maximumSeals, message.n_vouchers <= Record.maximumVouchers else {
            throw FormatError(
                .tooLarge, "record",
                "more than \(Record.maximumSeals) recipients or \(Record.maximumVouchers) vouchers")
        }
        identity = try Identity(decoding: message.identity.array)
        var seals: [SharedSeal] = []
        for case let seal? in UnsafeBufferPointer(start: message.seals, count: message.n_seals) {
            seals.append(try SharedSeal(seal.pointee))
        }
        var vouchers: [Voucher] = []
        for case let voucher? in UnsafeBufferPointer(start: message.vouchers, count: message.n_vouchers) {
            vouchers.append(try Voucher(voucher.pointee))
        }
        self.seals = seals
        self.vouchers = vouchers
        unknown = try message.unknownFields("record")
        mac = message.mac.array
        guard mac.count == HMACSHA256.size else { throw FormatError(.malformed, "record", "its MAC is not 32 bytes") }
        try Record.check(identity, seals, vouchers)
        encoded = Record.encode(identity, seals, vouchers, unknown, mac: mac)
        guard encoded == bytes else { throw FormatError(.malformed, "record", "not in the canonical encoding") }
    }

    /// Makes the record and its MAC. The parts may come in any order.
    init(
        identity: Identity, seals: [SharedSeal], vouchers: [Voucher], unknown: [UnknownField], under kek: KEK
    ) throws(FormatError) {
        guard kek.matches(identity.kekID) else { throw FormatError(.conflict, "record", "of another KEK") }
        let seals = seals.sorted { Record.less($0.recipientID.utf8, $1.recipientID.utf8) }
        let vouchers = vouchers.sorted { Record.less($0.kekID.bytes, $1.kekID.bytes) }
        guard seals.count <= Record.maximumSeals, vouchers.count <= Record.maximumVouchers else {
            throw FormatError(
                .tooLarge, "record",
                "\(seals.count) recipients and \(vouchers.count) vouchers, at most \(Record.maximumSeals) each")
        }
        try Record.check(identity, seals, vouchers)
        let unsigned = Record.encode(identity, seals, vouchers, unknown, mac: [])
        let mac: [UInt8]
        do {
            mac = try kek.authenticate([Record.domain, unsigned], for: .record)
        } catch {
            throw FormatError(error, "record")
        }
        let encoded = Record.encode(identity, seals, vouchers, unknown, mac: mac)
        guard encoded.count <= Record.maximumSize else {
            throw FormatError(
                .tooLarge, "record", "\(encoded.count) bytes, at most \(Record.maximumSize); remove a recipient")
        }
        self.identity = identity
        self.seals = seals
        self.vouchers = vouchers
        self.unknown = unknown
        self.mac = mac
        self.encoded = encoded
    }

    /// Whether the KEK made this record as it is. False when libcrypto fails.
    public func isAuthentic(under kek: KEK) -> Bool {
        let unsigned = Record.encode(identity, seals, vouchers, unknown, mac: [])
        return kek.matches(identity.kekID) && kek.verify(mac, of: [Record.domain, unsigned], for: .record)
    }

    /// The entry for a recipient, if there is one.
    public func entry(for recipientID: String) -> SharedSeal? {
        seals.first { $0.recipientID == recipientID }
    }

    /// The seals of recipients that were not removed, in the record's order.
    public var liveSeals: [Seal] { seals.compactMap { $0.seal(of: identity.kekID) } }

    /// What an encoding cannot break without being another record.
    private static func check(
        _ identity: Identity, _ seals: [SharedSeal], _ vouchers: [Voucher]
    ) throws(FormatError) {
        for (a, b) in zip(seals, seals.dropFirst()) where !less(a.recipientID.utf8, b.recipientID.utf8) {
            throw FormatError(.malformed, "record", "recipients twice or out of order")
        }
        for (a, b) in zip(vouchers, vouchers.dropFirst()) where !less(a.kekID.bytes, b.kekID.bytes) {
            throw FormatError(.malformed, "record", "vouchers twice or out of order")
        }
        guard vouchers.allSatisfy({ $0.generation < identity.generation }) else {
            throw FormatError(.malformed, "record", "a voucher of a KEK that is not an earlier one")
        }
    }

    private static func less(_ a: some Sequence<UInt8>, _ b: some Sequence<UInt8>) -> Bool {
        a.lexicographicallyPrecedes(b)
    }

    private static func encode(
        _ identity: Identity, _ seals: [SharedSeal], _ vouchers: [Voucher], _ unknown: [UnknownField], mac: [UInt8]
    ) -> [UInt8] {
        let arena = WireArena()
        return withExtendedLifetime(arena) {
            var message = TrousseauKeyring__Record.empty()
            message.identity = arena.binary(identity.encoded)
            message.n_seals = seals.count
            message.seals = arena.pointers(seals.map { $0.message(in: arena) })
            message.n_vouchers = vouchers.count
            message.vouchers = arena.pointers(vouchers.map { $0.message(in: arena) })
            message.mac = arena.binary(mac)
            arena.attach(unknown, to: &message.base)
            return TrousseauKeyring__Record.encode(message)
        }
    }
}
