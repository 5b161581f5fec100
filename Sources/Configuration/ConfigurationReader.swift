extension PluginConfiguration {
    /// What the PKCS#11 module itself has against a section whose values are all right by themselves, which is then
    /// reported under `key`: the URI above all. The module is none of this library's imports.
    public typealias PKCS11Check = (PKCS11) -> (reason: String, hint: String?)?
    /// The same for Vault, reported for the whole section.
    public typealias VaultCheck = (Vault) -> (reason: String, hint: String?)?

    /// The same of the TPM module, whose finding is reported under the section itself.
    public typealias TPMCheck = (TPM) -> (reason: String, hint: String?)?

    /// Reads and checks the file at `path`.
    ///
    /// - Throws: `ConfigurationError` with all that is wrong.
    public static func read(
        path: String, checkPKCS11: PKCS11Check = { _ in nil }, checkTPM: TPMCheck = { _ in nil },
        checkVault: VaultCheck = { _ in nil }
    ) throws(ConfigurationError) -> Self {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try BoundedFile.read(path, limit: YAMLDocument.maximumSize)
        } catch {
            throw ConfigurationError([Diagnostic(file: path, line: 0, key: "", reason: error.reason, hint: unreadable)])
        }
        return try parse(
            bytes, file: path, accounts: .system, checkPKCS11: checkPKCS11, checkTPM: checkTPM, checkVault: checkVault)
    }

    private static let unreadable = "name the file with --config; docs/configuration.md has an example"

    /// Checks the text of a configuration that is called `file` in what is said about it.
    ///
    /// - Throws: `ConfigurationError` with all that is wrong.
    public static func parse(
        _ bytes: [UInt8], file: String, accounts: AccountNames, checkPKCS11: PKCS11Check = { _ in nil },
        checkTPM: TPMCheck = { _ in nil }, checkVault: VaultCheck = { _ in nil }
    ) throws(ConfigurationError) -> Self {
        let diagnosis = Diagnosis(file: file)
        // What the checks are called for never outlives this call.
        let configuration = withoutActuallyEscaping(checkPKCS11) { checkPKCS11 in
            withoutActuallyEscaping(checkTPM) { checkTPM in
                withoutActuallyEscaping(checkVault) { checkVault in
                    let backends = BackendSchema(checkPKCS11: checkPKCS11, checkTPM: checkTPM, checkVault: checkVault)
                    return YAMLDocument.read(bytes, into: diagnosis).flatMap { root in
                        Section(root, path: "", diagnosis: diagnosis).map { top in
                            read(top, server: ServerSchema(accounts: accounts), backends: backends)
                        }
                    }
                }
            }
        }
        guard let configuration, diagnosis.diagnostics.isEmpty else {
            throw ConfigurationError(diagnosis.diagnostics)
        }
        return configuration
    }

    private static func read(_ top: Section, server: ServerSchema, backends: BackendSchema) -> Self {
        version(top)
        let keyring = top.section("keyring", required: "keyring: {name: prod}").map(KeyringSchema.read)
        let serverSection = top.section("server").map(server.read)
        let backendList = backends.read(top)
        let sockets =
            serverSection
            ?? Server(
                socket: Socket(path: ServerSchema.defaultSocket, mode: 0o600, allowUsers: [0], allowGroups: []),
                control: Socket(path: ServerSchema.defaultControl, mode: 0o600, allowUsers: [0], allowGroups: []),
                allowUnlockedMemory: false)
        let metrics = OperationsSchema.metrics(top, sockets)
        let log = OperationsSchema.log(top)
        top.refuseLater(["rotation"])
        top.finish()
        checkSeals(keyring?.minimumSeals, backendList, top)
        return PluginConfiguration(
            keyring: keyring?.keyring ?? Keyring(name: "", directory: KeyringSchema.defaultDirectory),
            server: sockets,
            backends: backendList, metrics: metrics, log: log)
    }

    private static func version(_ top: Section) {
        for (key, expected) in [("apiVersion", apiVersion), ("kind", kind)] {
            let hint = "write \(key): \(expected)"
            guard let found = top.string(key, required: hint), found.value != expected else { continue }
            top.report(key, line: found.line, "\(Quoted.text(found.value)) is not known to this version", hint: hint)
        }
    }

    private static func checkSeals(_ minimum: Located<Int>?, _ backends: [Backend], _ top: Section) {
        guard !backends.isEmpty else { return }
        let sealing = backends.count { !$0.unsealOnly && $0.opensSeals }
        if sealing == 0 {
            let reason =
                backends.contains(where: \.opensSeals)
                ? "none of those that open seals makes them: they are unsealOnly"
                : "none of them opens what it seals"
            top.report(
                "backends", line: top.line(of: "backends"),
                backends.allSatisfy(\.unsealOnly) ? "all of them are unsealOnly" : reason,
                hint: "a new KEK needs at least one backend that seals it and opens the seal again, such as an HSM")
        } else if let minimum, minimum.value > sealing {
            top.diagnosis.add(
                minimum.line, minimum.key,
                "\(minimum.value) is more than the number of backends that seal and open (\(sealing))",
                hint: "lower it, or leave it away: it defaults to all that seal")
        }
    }
}
