internal import Crypto

/// Roles at rest: lines of text.
enum RolesFile {
    static let name = "roles"
    /// 4 KiB.
    static let maximumSize = 4096

    private static let explanation = "# Which KEK of this keyring encrypts on this node. Written by trousseau."
    private static let malformed = FormatError(.malformed, "roles", "a line is missing or not as it should be")

    static func encode(_ roles: Roles) -> [UInt8] { Array((explanation + "\n" + lines(roles)).utf8) }

    private static func lines(_ roles: Roles) -> String {
        """
        format: 1
        keyring: \(Hex.encode(roles.keyring.keyringID))
        name: \(roles.keyring.name)
        active: \(text(roles.active))
        prepared: \(roles.prepared.map(text) ?? "-")
        mac: \(Hex.encode(roles.mac))

        """
    }

    private static func text(_ entry: Roles.Entry) -> String {
        "\(entry.generation) \(Hex.encode(entry.kekID.bytes))"
    }

    /// Lines that begin with "#" do not count; the others have one spelling.
    ///
    /// - Throws: `malformed`, `unsupported`.
    static func decode(_ bytes: [UInt8]) throws(FormatError) -> Roles {
        guard let lines = TextFile.lines(bytes), let format = lines.first.flatMap({ TextFile.value("format", of: $0) })
        else { throw malformed }
        guard format == "1" else { throw FormatError(.unsupported, "roles", "of a later version (format \(format))") }
        guard lines.count == 6,
            let keyringID = TextFile.value("keyring", of: lines[1]).flatMap({ Hex.decode($0) }),
            let name = TextFile.value("name", of: lines[2]),
            let active = TextFile.value("active", of: lines[3]).flatMap({ entry($0) }),
            let next = TextFile.value("prepared", of: lines[4]),
            let mac = TextFile.value("mac", of: lines[5]).flatMap({ Hex.decode($0) }), mac.count == HMACSHA256.size
        else { throw malformed }
        let prepared = entry(next)
        let roles = Roles(
            keyring: try KeyringIdentity(keyringID: keyringID, name: String(name)), active: active, prepared: prepared,
            mac: mac)
        // Upper-case digits, a prepared KEK that is neither one nor "-".
        guard self.lines(roles) == lines.map({ $0 + "\n" }).joined() else { throw malformed }
        return roles
    }

    private static func entry(_ text: Substring) -> Roles.Entry? {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2, let generation = KeyID.number(Array(parts[0].utf8)),
            let kekID = Hex.decode(parts[1]).flatMap({ KEKID($0) })
        else { return nil }
        return Roles.Entry(generation: generation, kekID: kekID)
    }
}
