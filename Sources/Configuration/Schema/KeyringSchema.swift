/// The section `keyring`.
enum KeyringSchema {
    static let defaultDirectory = "/var/lib/trousseau/keyring"

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
        let trustedKeyIDs = section.keyIDs("trustedKeyIDs", of: name?.value)
        let openDeadline = section.duration("openDeadline", in: .seconds(1)...(.seconds(3600)))
        section.finish()
        return Result(
            keyring: PluginConfiguration.Keyring(
                name: name?.value ?? "", directory: directory?.value ?? defaultDirectory,
                minimumSeals: minimumSeals?.value, trustedKeyIDs: trustedKeyIDs,
                openDeadline: openDeadline?.value),
            minimumSeals: minimumSeals)
    }
}
