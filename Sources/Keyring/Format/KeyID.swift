internal import Crypto

/// A key_id: `<name>/<generation>/<16 base32 characters of the kekID>/<8 of SHA-256(publication)>`, at most 110 bytes.
///
/// It says which KEK is active and what etcd should carry: it changes when either does. The first three parts name the
/// KEK of a ciphertext; the last may be of an earlier publication.
public struct KeyID: Sendable, Hashable {
    /// The longest one.
    public static let maximumSize = 63 + 1 + 20 + 1 + kekCharacters + 1 + publicationCharacters
    static let kekCharacters = 16
    static let publicationCharacters = 8

    /// The keyring's name.
    public let name: String
    /// From 1.
    public let generation: UInt64
    /// 16 base32 characters: 80 bits of the kekID.
    public let kek: String
    /// 8 base32 characters: 40 bits of the publication's SHA-256.
    public let publication: String

    /// The key_id of a publication whose active record has this identity and whose encoding has this SHA-256.
    init(_ active: Identity, publicationDigest: [UInt8]) {
        name = active.keyring.name
        generation = active.generation
        kek = active.kekID.description
        publication = Base32.encode(Array(publicationDigest.prefix(5)))
    }

    /// Reads a key_id; only the one spelling that `text` gives is accepted.
    ///
    /// - Throws: `malformed`.
    public init(_ bytes: some Collection<UInt8>) throws(FormatError) {
        guard bytes.count <= KeyID.maximumSize else { throw KeyID.malformed }
        let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 4, KeyringIdentity.isName(parts[0]), let generation = KeyID.number(parts[1]),
            let kek = KeyID.base32(parts[2], count: KeyID.kekCharacters),
            let publication = KeyID.base32(parts[3], count: KeyID.publicationCharacters)
        else { throw KeyID.malformed }
        name = String(decoding: parts[0], as: UTF8.self)
        self.generation = generation
        self.kek = kek
        self.publication = publication
    }

    /// Reads a key_id from text.
    ///
    /// - Throws: `malformed`.
    public init(_ text: String) throws(FormatError) {
        try self.init(Array(text.utf8))
    }

    /// The one spelling.
    public var text: String { "\(name)/\(generation)/\(kek)/\(publication)" }

    private static let malformed = FormatError(
        .malformed, "key_id", "not <name>/<generation>/<16 base32 characters>/<8 base32 characters>")

    /// A decimal number from 1, without leading zeros.
    static func number(_ digits: some Collection<UInt8>) -> UInt64? {
        guard 1...20 ~= digits.count, digits.first != UInt8(ascii: "0") else { return nil }
        var value: UInt64 = 0
        for digit in digits {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= digit else { return nil }
            let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = shifted.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    private static func base32(_ characters: some Collection<UInt8>, count: Int) -> String? {
        guard characters.count == count, characters.allSatisfy(isBase32) else { return nil }
        return String(decoding: characters, as: UTF8.self)
    }

    static func isBase32(_ character: UInt8) -> Bool {
        switch character {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "2")...UInt8(ascii: "7"): true
        default: false
        }
    }
}

extension KeyID: CustomStringConvertible {
    /// The key_id itself.
    public var description: String { text }
}
