/// The section `keyring`.
enum KeyringSchema {
    static let defaultDirectory = "/var/lib/trousseau/keyring"
    /// As many as a record may have vouchers.
    static let maximumTrustedKeyIDs = 32

    struct Result {
        var keyring: PluginConfiguration.Keyring
        /// Compared with the number of backends when those were read.
        var minimumSeals: Located<Int>?
    }

    static func read(_ section: Section) -> Result {
        let name = section.label(
            "name", required: "a name for the cluster's keyring, such as prod; it stands in every key_id")
        let directory = section.path("directory")
        // As many as a keyring may have recipients.
        let minimumSeals = section.integer("minimumSeals", in: 1...BackendSchema.maximumCount)
        let trustedKeyIDs = trustedKeyIDs(section, name: name?.value)
        section.finish()
        return Result(
            keyring: PluginConfiguration.Keyring(
                name: name?.value ?? "", directory: directory?.value ?? defaultDirectory,
                minimumSeals: minimumSeals?.value, trustedKeyIDs: trustedKeyIDs),
            minimumSeals: minimumSeals)
    }

    private static func trustedKeyIDs(_ section: Section, name: String?) -> [String] {
        guard let items = section.list("trustedKeyIDs") else { return [] }
        if items.count > maximumTrustedKeyIDs {
            section.report(
                "trustedKeyIDs", line: section.line(of: "trustedKeyIDs"),
                "has more than \(maximumTrustedKeyIDs) items")
        }
        var keyIDs: [String] = []
        for item in items {
            guard let text = Section.string(item.value, key: item.key, diagnosis: section.diagnosis) else { continue }
            guard let keyring = keyringName(of: text.value) else {
                section.diagnosis.add(
                    text.line, item.key, "\(Quoted.text(text.value)) is not a key_id",
                    hint: "as init, rotate or recover printed it: name/generation/16 characters/8 characters")
                continue
            }
            if let name, keyring != name {
                section.diagnosis.add(
                    text.line, item.key, "is of keyring \(Quoted.text(String(keyring))), not \(Quoted.text(name))",
                    hint: "give the key_id of this keyring")
                continue
            }
            keyIDs.append(text.value)
        }
        return keyIDs
    }

    /// The keyring's name in a key_id; nil when it is none.
    private static func keyringName(of keyID: String) -> Substring? {
        let parts = keyID.split(separator: "/", omittingEmptySubsequences: false)
        let isBase32 = { (text: Substring) in text.utf8.allSatisfy { 0x61...0x7a ~= $0 || 0x32...0x37 ~= $0 } }
        guard parts.count == 4, !parts[0].isEmpty, let generation = UInt64(parts[1]), generation > 0,
            String(generation) == parts[1], parts[2].utf8.count == 16, parts[3].utf8.count == 8, isBase32(parts[2]),
            isBase32(parts[3])
        else { return nil }
        return parts[0]
    }
}
