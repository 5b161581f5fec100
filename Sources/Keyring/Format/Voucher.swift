internal import CKMSProto
internal import Crypto

/// The word of an earlier KEK for a later one: a MAC over the later one's identity. A node that missed generations
/// believes a record only with a voucher by a KEK that it trusts.
public struct Voucher: Sendable, Hashable {
    /// The earlier KEK.
    public let kekID: KEKID
    /// The earlier KEK's generation, as the voucher claims.
    public let generation: UInt64
    /// 32 bytes: HMAC-SHA256 under the earlier KEK's key "voucher".
    public let mac: [UInt8]
    /// Fields of later versions.
    let unknown: [UnknownField]
    /// The canonical encoding.
    let encoded: [UInt8]

    static let domain = Array("trousseau voucher v1".utf8)

    /// Vouches for `identity` with `kek`, whose own generation is `generation`.
    ///
    /// - Throws: `conflict` unless `generation` is lower than the identity's; `cryptography`.
    public init(for identity: Identity, by kek: KEK, generation: UInt64) throws(FormatError) {
        guard generation < identity.generation else {
            throw FormatError(
                .conflict, "voucher", "generation \(generation) cannot vouch for generation \(identity.generation)")
        }
        let mac: [UInt8]
        do {
            mac = try kek.authenticate([Voucher.domain, identity.encoded], for: .voucher)
        } catch {
            throw FormatError(error, "voucher")
        }
        try self.init(kekID: kek.id, generation: generation, mac: mac, unknown: [])
    }

    init(kekID: KEKID, generation: UInt64, mac: [UInt8], unknown: [UnknownField]) throws(FormatError) {
        guard generation > 0, mac.count == HMACSHA256.size else {
            throw FormatError(.malformed, "record", "a voucher without generation or MAC")
        }
        self.kekID = kekID
        self.generation = generation
        self.mac = mac
        self.unknown = unknown
        let arena = WireArena()
        encoded = withExtendedLifetime(arena) {
            TrousseauKeyring__Voucher.encode(Voucher.message(kekID, generation, mac, unknown, in: arena))
        }
    }

    init(_ message: TrousseauKeyring__Voucher) throws(FormatError) {
        guard let kekID = KEKID(message.kek_id.array) else {
            throw FormatError(.malformed, "record", "a voucher's kekID has \(message.kek_id.len) bytes, 32 wanted")
        }
        try self.init(
            kekID: kekID, generation: message.generation, mac: message.mac.array,
            unknown: try message.unknownFields("record"))
    }

    /// Whether it is `kek`'s word for `identity`. `generation` is that KEK's own, from a record that is trusted.
    public func isValid(for identity: Identity, by kek: KEK, generation: UInt64) -> Bool {
        self.generation == generation && generation < identity.generation && kek.matches(kekID)
            && kek.verify(mac, of: [Voucher.domain, identity.encoded], for: .voucher)
    }

    /// As a part of a record.
    func message(in arena: WireArena) -> TrousseauKeyring__Voucher {
        Voucher.message(kekID, generation, mac, unknown, in: arena)
    }

    private static func message(
        _ kekID: KEKID, _ generation: UInt64, _ mac: [UInt8], _ unknown: [UnknownField], in arena: WireArena
    ) -> TrousseauKeyring__Voucher {
        var message = TrousseauKeyring__Voucher.empty()
        message.kek_id = arena.binary(kekID.bytes)
        message.generation = generation
        message.mac = arena.binary(mac)
        arena.attach(unknown, to: &message.base)
        return message
    }

    /// Whether this voucher is kept rather than another one: the later KEK's, then the lower encoding. One order for
    /// all of them, so that keeping the first 32 is the same whichever merge comes first.
    func precedes(_ other: Voucher) -> Bool {
        if generation != other.generation { return generation > other.generation }
        return encoded.lexicographicallyPrecedes(other.encoded)
    }
}
