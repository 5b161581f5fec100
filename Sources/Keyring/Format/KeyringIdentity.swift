/// Which keyring something belongs to.
public struct KeyringIdentity: Sendable, Hashable {
    /// 16 bytes.
    public static let idSize = 16
    /// 1 to 63 characters: a key_id has to stay short.
    public static let nameSizes = 1...63

    /// 16 random bytes, made by `init` once.
    public let keyringID: [UInt8]
    /// The operator's name for it, as RFC 1123 has labels: `[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?`.
    public let name: String

    /// - Throws: `malformed`, for an ID of another size or a name that cannot be in a key_id.
    public init(keyringID: [UInt8], name: String) throws(FormatError) {
        guard keyringID.count == KeyringIdentity.idSize else {
            throw FormatError(.malformed, "keyring ID", "\(keyringID.count) bytes, \(KeyringIdentity.idSize) wanted")
        }
        guard KeyringIdentity.isName(name.utf8) else {
            throw FormatError(
                .malformed, "keyring name",
                "has to be 1 to 63 lower-case letters, digits and inner hyphens")
        }
        self.keyringID = keyringID
        self.name = name
    }

    /// Whether these characters are a keyring's name.
    public static func isName(_ characters: some Collection<UInt8>) -> Bool {
        let hyphen = UInt8(ascii: "-")
        guard nameSizes ~= characters.count, characters.first != hyphen else { return false }
        var last = hyphen
        for character in characters {
            switch character {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), hyphen: last = character
            default: return false
            }
        }
        return last != hyphen
    }
}
