extension BrokenConfiguration {
    /// Line 13 of the good configuration, which begins a pkcs11 section, becomes one of Vault's; what follows is put into
    /// a mapping of its own.
    private static func vault(_ section: String, _ expected: [String]) -> BrokenConfiguration {
        BrokenConfiguration(13, "  vault: \(section)\n- name: hsm\n  pkcs11:", expected)
    }

    private static let wanted = "address: \"https://vault.example:8200\", key: trousseau"

    static let vault: [BrokenConfiguration] = [
        vault(
            "{}",
            [
                "13: backends[0].vault.address: is missing", "13: backends[0].vault.key: is missing",
                "13: backends[0].vault: has no way to log in",
            ]),
        vault("{\(wanted)}", ["13: backends[0].vault: has no way to log in"]),
        vault(
            "{\(wanted), tokenFile: /t, jwt: {role: r, tokenFile: /t}}",
            ["13: backends[0].vault: has more than one way to log in: tokenFile and jwt"]),
        vault(
            "{\(wanted), tokenFile: t1234}", ["13: backends[0].vault.tokenFile: is not an absolute path"]),
        vault(
            "{\(wanted), tokenFile: /t, token: hvs.1234}",
            ["13: backends[0].vault.token: secrets do not belong into the configuration"]),
        vault(
            "{\(wanted), appRole: {roleIDFile: /r, secretID: s1234}}",
            ["13: backends[0].vault.appRole.secretID: secrets do not belong into the configuration"]),
        vault(
            "{\(wanted), appRole: {secretIDFile: /s}}", ["13: backends[0].vault.appRole.roleIDFile: is missing"]),
        vault(
            "{\(wanted), appRole: {roleIDFile: /r, secretIDWrapped: 1}}",
            ["13: backends[0].vault.appRole.secretIDWrapped: expected true or false, found a number"]),
        vault(
            "{\(wanted), kubernetes: {tokenFile: /t}}", ["13: backends[0].vault.kubernetes.role: is missing"]),
        vault("{\(wanted), jwt: {role: r}}", ["13: backends[0].vault.jwt.tokenFile: is missing"]),
        vault(
            "{\(wanted), certificate: {name: r}}", ["13: backends[0].vault.certificate.name: unknown key"]),
        vault(
            "{\(wanted), tokenFile: /t, tls: {caFile: ca.pem, skipVerify: true}}",
            [
                "13: backends[0].vault.tls.skipVerify: verification cannot be turned off",
                "13: backends[0].vault.tls.caFile: \"ca.pem\" is not an absolute path",
            ]),
        vault(
            "{\(wanted), tokenFile: /t, insecure: true}",
            ["13: backends[0].vault.insecure: verification cannot be turned off"]),
        vault(
            "{\(wanted), tokenFile: /t, otherAddresses: https://b}",
            ["13: backends[0].vault.otherAddresses: expected a list, found text"]),
        vault(
            "{address: \"http://vault.example\", key: trousseau, tokenFile: /t}",
            ["13: backends[0].vault: the address is no https URL"]),
        vault(
            "{\(wanted), tokenFile: /t, namespaces: team}", ["13: backends[0].vault.namespaces: unknown key"]),
    ]
}
