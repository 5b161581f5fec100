internal import CKMSProto
internal import Crypto

/// What Encrypt's answer carries into etcd: the records of the active and of the prepared KEK, which of them is which,
/// and a MAC over that under the active KEK.
public struct Publication: Sendable, Hashable {
    /// 8192 bytes: it is stored with every object.
    public static let maximumSize = 8192
    /// 4096 bytes: above that an operator should hear of it.
    public static let warningSize = 4096

    /// The record of the KEK that encrypts.
    public let active: Record
    /// The record of the next KEK, if there is one.
    public let prepared: Record?
    /// Fields of later versions.
    let unknown: [UnknownField]
    /// 32 bytes: HMAC-SHA256 under the active KEK's key "publication".
    public let mac: [UInt8]
    /// The canonical encoding: the value of the annotation `kek.trousseau`.
    public let encoded: [UInt8]
    /// SHA-256 of the encoding.
    private let digest: [UInt8]

    static let domain = Array("trousseau publication v1".utf8)

    /// Makes a publication and its MAC.
    ///
    /// - Throws: `conflict` when the records do not belong together or `kek` is not the active one's; `tooLarge`;
    ///   `cryptography`.
    public init(active: Record, prepared: Record?, under kek: KEK) throws(FormatError) {
        guard kek.matches(active.identity.kekID) else {
            throw FormatError(.conflict, "publication", "its active record is of another KEK")
        }
        try Publication.check(active, prepared)
        let unsigned = Publication.encode(active, prepared, [], mac: [])
        do {
            mac = try kek.authenticate(
                [Publication.domain, active.identity.keyring.keyringID, unsigned], for: .publication)
            encoded = Publication.encode(active, prepared, [], mac: mac)
            digest = try SHA256.hash(encoded)
        } catch {
            throw FormatError(error, "publication")
        }
        guard encoded.count <= Publication.maximumSize else {
            throw FormatError(
                .tooLarge, "publication",
                "\(encoded.count) bytes, at most \(Publication.maximumSize); remove a recipient")
        }
        self.active = active
        self.prepared = prepared
        unknown = []
    }

    /// Reads a publication; only its canonical encoding is accepted. Its MACs are checked by `isAuthentic` only.
    ///
    /// - Throws: `malformed`, `unsupported`, `tooLarge`, `conflict`, `cryptography`.
    public init(decoding bytes: [UInt8]) throws(FormatError) {
        guard bytes.count <= Publication.maximumSize else {
            throw FormatError(.tooLarge, "publication", "longer than \(Publication.maximumSize) bytes")
        }
        self = try TrousseauKeyring__Publication.decode(bytes, "publication") { (message) throws(FormatError) in
            try Publication(message, bytes)
        }
    }

    private init(_ message: TrousseauKeyring__Publication, _ bytes: [UInt8]) throws(FormatError) {
        active = try Record(decoding: message.active.array)
        prepared = message.prepared.len == 0 ? nil : try Record(decoding: message.prepared.array)
        try Publication.check(active, prepared)
        unknown = try message.unknownFields("publication")
        mac = message.mac.array
        guard mac.count == HMACSHA256.size else {
            throw FormatError(.malformed, "publication", "its MAC is not 32 bytes")
        }
        encoded = Publication.encode(active, prepared, unknown, mac: mac)
        guard encoded == bytes else { throw FormatError(.malformed, "publication", "not in the canonical encoding") }
        do {
            digest = try SHA256.hash(encoded)
        } catch {
            throw FormatError(error, "publication")
        }
    }

    /// Whether the active KEK made this publication as it is, and its own record. The prepared record's MAC is under the
    /// prepared KEK. False when libcrypto fails.
    public func isAuthentic(under kek: KEK) -> Bool {
        let unsigned = Publication.encode(active, prepared, unknown, mac: [])
        return active.isAuthentic(under: kek)
            && kek.verify(
                mac, of: [Publication.domain, active.identity.keyring.keyringID, unsigned], for: .publication)
    }

    /// The key_id that stands for this publication.
    public func keyID() -> KeyID { KeyID(active.identity, publicationDigest: digest) }

    private static func check(_ active: Record, _ prepared: Record?) throws(FormatError) {
        guard let prepared else { return }
        guard prepared.identity.keyring == active.identity.keyring else {
            throw FormatError(.conflict, "publication", "its records are of different keyrings")
        }
        guard prepared.identity.generation > active.identity.generation else {
            throw FormatError(.conflict, "publication", "its prepared KEK is not a later one than the active KEK")
        }
    }

    private static func encode(
        _ active: Record, _ prepared: Record?, _ unknown: [UnknownField], mac: [UInt8]
    ) -> [UInt8] {
        let arena = WireArena()
        return withExtendedLifetime(arena) {
            var message = TrousseauKeyring__Publication.empty()
            message.active = arena.binary(active.encoded)
            message.prepared = arena.binary(prepared?.encoded ?? [])
            message.mac = arena.binary(mac)
            arena.attach(unknown, to: &message.base)
            return TrousseauKeyring__Publication.encode(message)
        }
    }
}
