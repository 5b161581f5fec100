internal import CKMSProto

/// What a KEK is: the part of its record that its maker encodes once and that never changes.
public struct Identity: Sendable, Hashable {
    /// 1.
    public static let format: UInt32 = 1
    /// 1024 bytes encoded.
    public static let maximumSize = 1024

    /// The keyring that the KEK belongs to.
    public let keyring: KeyringIdentity
    /// From 1; a later KEK has a higher one.
    public let generation: UInt64
    /// The KEK's public name.
    public let kekID: KEKID
    /// Seconds since 1970-01-01T00:00:00Z, for display only.
    public let created: UInt64
    /// While this KEK is active, vouchers by KEKs of a lower generation do not count.
    public let voucherFloor: UInt64
    /// The bytes that vouchers and the record's MAC cover.
    public let encoded: [UInt8]

    /// The identity of a new KEK.
    ///
    /// - Throws: `malformed` when the generation is 0.
    public init(
        kekID: KEKID, keyring: KeyringIdentity, generation: UInt64, created: UInt64, voucherFloor: UInt64
    ) throws(FormatError) {
        guard generation > 0 else { throw FormatError(.malformed, "record", "its generation is 0") }
        self.keyring = keyring
        self.generation = generation
        self.kekID = kekID
        self.created = created
        self.voucherFloor = voucherFloor
        encoded = Identity.encode(
            keyring: keyring, generation: generation, kekID: kekID, created: created, voucherFloor: voucherFloor,
            unknown: [])
    }

    /// Reads an identity; only its canonical encoding is accepted, with whatever fields a later version added.
    ///
    /// - Throws: `malformed`, `unsupported`, `tooLarge`.
    public init(decoding bytes: [UInt8]) throws(FormatError) {
        guard bytes.count <= Identity.maximumSize else {
            throw FormatError(.tooLarge, "record", "its identity is longer than \(Identity.maximumSize) bytes")
        }
        self = try TrousseauKeyring__Identity.decode(bytes, "record") { (message) throws(FormatError) in
            try Identity(message, bytes)
        }
    }

    private init(_ message: TrousseauKeyring__Identity, _ bytes: [UInt8]) throws(FormatError) {
        guard message.format == Identity.format else {
            throw FormatError(.unsupported, "record", "format \(message.format), this version reads format 1")
        }
        guard let kekID = KEKID(message.kek_id.array) else {
            throw FormatError(.malformed, "record", "its kekID has \(message.kek_id.len) bytes, 32 wanted")
        }
        guard message.generation > 0 else { throw FormatError(.malformed, "record", "its generation is 0") }
        // Checked as bytes: as a String, what is not UTF-8 would be replaced.
        let name = message.name.array
        guard KeyringIdentity.isName(name) else {
            throw FormatError(.malformed, "record", "its keyring name is not one")
        }
        keyring = try KeyringIdentity(
            keyringID: message.keyring_id.array, name: String(decoding: name, as: UTF8.self))
        generation = message.generation
        self.kekID = kekID
        created = message.created
        voucherFloor = message.voucher_floor
        let canonical = Identity.encode(
            keyring: keyring, generation: generation, kekID: kekID, created: created, voucherFloor: voucherFloor,
            unknown: try message.unknownFields("record"))
        guard canonical == bytes else {
            throw FormatError(.malformed, "record", "its identity is not in the canonical encoding")
        }
        encoded = bytes
    }

    private static func encode(
        keyring: KeyringIdentity, generation: UInt64, kekID: KEKID, created: UInt64, voucherFloor: UInt64,
        unknown: [UnknownField]
    ) -> [UInt8] {
        let arena = WireArena()
        return withExtendedLifetime(arena) {
            var message = TrousseauKeyring__Identity.empty()
            message.format = format
            message.keyring_id = arena.binary(keyring.keyringID)
            message.name = arena.binary(keyring.name)
            message.generation = generation
            message.kek_id = arena.binary(kekID.bytes)
            message.created = created
            message.voucher_floor = voucherFloor
            arena.attach(unknown, to: &message.base)
            return TrousseauKeyring__Identity.encode(message)
        }
    }
}
