/// The section `vault` of a backend.
struct VaultSchema {
    /// Beside the first one.
    static let maximumAddresses = 8

    let check: PluginConfiguration.VaultCheck

    func read(_ section: Section) -> PluginConfiguration.Vault {
        section.refuse(
            "secrets do not belong into the configuration",
            hint: "write the credential into a file of mode 0400 and name that: tokenFile, appRole.secretIDFile"
        ) { ["token", "password", "secret", "secretid", "secret-id", "roleid", "role-id"].contains($0.lowercased()) }
        section.refuse(
            "verification cannot be turned off",
            hint: "name the authority of Vault's certificate with tls.caFile, and its name with tls.serverName"
        ) { VaultSchema.isUnverified($0) }
        let address = section.string("address", required: "such as \"https://vault.example:8200\"")
        let otherAddresses = addresses(section)
        let namespace = section.string("namespace")
        let mount = section.string("mount")
        let key = section.string("key", required: "the name of the transit key, such as trousseau")
        let proxy = section.string("proxy")
        let login = login(section)
        let tls = section.section("tls")
        var vault = PluginConfiguration.Vault(
            address: address?.value ?? "", otherAddresses: otherAddresses, namespace: namespace?.value,
            mount: mount?.value ?? "transit", key: key?.value ?? "", login: login ?? .tokenFile("/"),
            proxy: proxy?.value)
        if let tls { readTLS(tls, into: &vault) }
        section.finish()
        // The backend looks only at what is all right by itself.
        if address != nil, key != nil, login != nil, tls != nil, let problem = check(vault) {
            section.report("", line: section.line, problem.reason, hint: problem.hint)
        }
        return vault
    }

    private static func isUnverified(_ key: String) -> Bool {
        ["skipverify", "tlsskipverify", "insecure", "insecureskipverify", "verify"].contains(
            key.lowercased().filter { $0 != "-" && $0 != "_" })
    }

    private func readTLS(_ section: Section, into vault: inout PluginConfiguration.Vault) {
        section.refuse(
            "verification cannot be turned off", hint: "name the authority of Vault's certificate with caFile"
        ) { VaultSchema.isUnverified($0) }
        vault.caFile = section.path("caFile")?.value
        vault.certificateFile = section.path("certificateFile")?.value
        vault.keyFile = section.path("keyFile", isPrivate: true)?.value
        vault.serverName = section.string("serverName")?.value
        section.finish()
    }

    private func addresses(_ section: Section) -> [String] {
        guard let items = section.list("otherAddresses") else { return [] }
        if items.count > VaultSchema.maximumAddresses {
            section.report(
                "otherAddresses", line: section.line(of: "otherAddresses"),
                "has more than \(VaultSchema.maximumAddresses) items")
        }
        return items.compactMap { Section.string($0.value, key: $0.key, diagnosis: section.diagnosis)?.value }
    }

    private func login(_ section: Section) -> PluginConfiguration.Vault.Login? {
        let ways = section.present(["tokenFile", "appRole", "kubernetes", "jwt", "certificate"])
        guard let way = ways.first, ways.count == 1 else {
            let words = ways.map(\.value).joined(separator: " and ")
            section.report(
                "", line: section.line,
                ways.isEmpty ? "has no way to log in" : "has more than one way to log in: \(words)",
                hint: "choose one of tokenFile, appRole, kubernetes, jwt and certificate")
            return nil
        }
        if way.value == "tokenFile" { return section.path("tokenFile", isPrivate: true).map { .tokenFile($0.value) } }
        guard let part = section.section(way.value, required: "") else { return nil }
        defer { part.finish() }
        let mount = part.string("mount")?.value ?? VaultSchema.mounts[way.value] ?? way.value
        let file = "the absolute path of a file"
        switch way.value {
        case "appRole":
            part.refuse(
                "secrets do not belong into the configuration",
                hint: "write it into a file and name that: roleIDFile, secretIDFile"
            ) { ["roleid", "role-id", "role_id", "secretid", "secret-id", "secret_id"].contains($0.lowercased()) }
            let roleID = part.path("roleIDFile", required: file, isPrivate: true)
            let secretID = part.path("secretIDFile", isPrivate: true)
            let isWrapped = part.bool("secretIDWrapped", default: false)
            return roleID.map {
                .appRole(
                    mount: mount, roleIDFile: $0.value, secretIDFile: secretID?.value, secretIDWrapped: isWrapped)
            }
        case "certificate":
            return .certificate(mount: mount, role: part.string("role")?.value)
        default:
            let role = part.string("role", required: "the name of a role of auth/\(mount)")
            let token = part.path("tokenFile", required: file, isPrivate: true)
            guard let role, let token else { return nil }
            return way.value == "jwt"
                ? .jwt(mount: mount, role: role.value, tokenFile: token.value)
                : .kubernetes(mount: mount, role: role.value, tokenFile: token.value)
        }
    }

    /// Where Vault has a method by default, if not under the name of the key.
    private static let mounts = ["appRole": "approle", "certificate": "cert"]
}
