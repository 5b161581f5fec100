/// The list `backends`.
struct BackendSchema {
    /// As many recipients as a keyring may have.
    static let maximumCount = 32
    static let defaultDeadline = Duration.seconds(10)

    let checkPKCS11: PluginConfiguration.PKCS11Check
    let checkTPM: PluginConfiguration.TPMCheck
    let checkVault: PluginConfiguration.VaultCheck

    func read(_ top: Section) -> [PluginConfiguration.Backend] {
        let hint = "name at least one backend, such as an HSM"
        guard let items = top.list("backends", required: hint) else { return [] }
        if items.isEmpty { top.report("backends", line: top.line(of: "backends"), "is empty", hint: hint) }
        if items.count > BackendSchema.maximumCount {
            top.report("backends", line: top.line(of: "backends"), "has more than \(BackendSchema.maximumCount) items")
        }
        var backends: [PluginConfiguration.Backend] = []
        var names: [String: Int] = [:]
        for item in items {
            guard let section = Section(item.value, path: item.key, diagnosis: top.diagnosis) else { continue }
            let name = section.label("name", required: "a name of its own, such as rack-hsm")
            if let name, let earlier = names.updateValue(name.line, forKey: name.value) {
                section.report(
                    "name", line: name.line,
                    "\(Quoted.text(name.value)) is the name of the backend in line \(earlier) too")
            }
            if let backend = backend(section, name: name?.value ?? "") { backends.append(backend) }
            section.finish()
        }
        return backends
    }

    private func backend(_ section: Section, name: String) -> PluginConfiguration.Backend? {
        let unsealOnly = section.bool("unsealOnly", default: false)
        let deadline = section.duration("deadline", in: .milliseconds(100)...(.seconds(600)))
        let hedgeAfter = section.duration("hedgeAfter", in: .milliseconds(10)...(.seconds(600)))
        section.refuseLater(["mode"])
        let kinds = section.present(["pkcs11", "tpm", "vault", "recovery"])
        if kinds.isEmpty {
            section.report("", line: section.line, "has no kind", hint: "add a section pkcs11, tpm, vault or recovery")
        } else if kinds.count > 1 {
            let words = kinds.map(\.value).joined(separator: " and ")
            section.report("", line: section.line, "has more than one kind: \(words)", hint: "make a backend of each")
        }
        guard let kind = kind(section, kinds.map(\.value)) else { return nil }
        let backend = PluginConfiguration.Backend(
            name: name, unsealOnly: unsealOnly, deadline: deadline?.value ?? BackendSchema.defaultDeadline,
            hedgeAfter: hedgeAfter?.value, kind: kind)
        if let hedgeAfter { check(hedgeAfter, of: backend, section) }
        if unsealOnly, !backend.opensSeals {
            section.report(
                "unsealOnly", line: section.line(of: "unsealOnly"), "a recovery key opens nothing here",
                hint: "leave unsealOnly away, or remove the backend")
        }
        return backend
    }

    private func check(_ hedgeAfter: Located<Duration>, of backend: PluginConfiguration.Backend, _ section: Section) {
        if !backend.opensSeals {
            section.report(
                "hedgeAfter", line: hedgeAfter.line, "a recovery key opens nothing here", hint: "leave hedgeAfter away")
        } else if hedgeAfter.value >= backend.deadline {
            section.report(
                "hedgeAfter", line: hedgeAfter.line,
                "\(DurationText.format(hedgeAfter.value)) is not shorter than the deadline, "
                    + DurationText.format(backend.deadline),
                hint: "after the deadline the next backend is asked in any case")
        }
    }

    private func kind(_ section: Section, _ kinds: [String]) -> PluginConfiguration.Backend.Kind? {
        if kinds.contains("pkcs11") {
            return section.section("pkcs11", required: "").map { .pkcs11(pkcs11($0)) }
        }
        if kinds.contains("tpm") {
            return section.section("tpm", required: "").map { .tpm(TPMSchema(check: checkTPM).read($0)) }
        }
        if kinds.contains("vault") {
            return section.section("vault", required: "").map { .vault(VaultSchema(check: checkVault).read($0)) }
        }
        guard kinds.contains("recovery") else { return nil }
        return section.section("recovery", required: "").map { .recovery(recovery($0)) }
    }

    private func recovery(_ section: Section) -> PluginConfiguration.Recovery {
        section.refuse(
            "the private key does not belong on this machine",
            hint: "keep it offline; name its certificate or public key with certificate"
        ) { ["key", "privatekey", "private-key", "passphrase", "password"].contains($0.lowercased()) }
        let certificate = section.path(
            "certificate",
            required: "a PEM file with the recovery key's certificate; trousseau recovery-key new makes both")
        section.finish()
        return PluginConfiguration.Recovery(certificate: certificate?.value ?? "")
    }

    private func pkcs11(_ section: Section) -> PluginConfiguration.PKCS11 {
        section.refuse(
            "secrets do not belong into the configuration",
            hint: "write the PIN into a file of mode 0400 and name it with pinSource"
        ) { ["pin", "pinvalue", "pin-value", "userpin", "sopin", "password", "secret"].contains($0.lowercased()) }
        section.refuse(
            "the key is selected by its URI",
            hint: "write it into key: \"pkcs11:token=…;object=…\""
        ) { ["token", "slot", "slotid", "slot-id", "object", "label", "id"].contains($0.lowercased()) }
        let module = section.path("module", required: "the vendor's library, such as /usr/lib/softhsm/libsofthsm2.so")
        let key = section.string(
            "key", required: "the sealing key, such as \"pkcs11:token=trousseau;object=kek-sealer\"")
        let keyIsSound = key.map { check($0, section) } ?? false
        let pinSource = section.path("pinSource", isPrivate: true)
        let maxSessions = section.integer("maxSessions", in: 1...16)
        let pkcs11 = PluginConfiguration.PKCS11(
            module: module?.value ?? "", key: key?.value ?? "", pinSource: pinSource?.value,
            maxSessions: maxSessions?.value ?? 4, allowUnsafeKey: section.bool("allowUnsafeKey", default: false),
            allowPINCountLow: section.bool("allowPINCountLow", default: false),
            allowSHA1OAEP: section.bool("allowSHA1OAEP", default: false))
        section.finish()
        if keyIsSound, module != nil, let key, let problem = checkPKCS11(pkcs11) {
            section.report("key", line: key.line, problem.reason, hint: problem.hint)
        }
        return pkcs11
    }

    /// The URI itself is never shown: it might hold a PIN.
    private func check(_ key: Located<String>, _ section: Section) -> Bool {
        guard key.value.hasPrefix("pkcs11:") else {
            section.report(
                "key", line: key.line, "is not a PKCS#11 URI",
                hint: "such as \"pkcs11:token=trousseau;object=kek-sealer\"")
            return false
        }
        // Before anything else looks at it: a percent-encoded name would be refused as unknown.
        if key.value.lowercased().contains("pin-value") {
            section.report(
                "key", line: key.line, "has a pin-value: secrets do not belong into the configuration",
                hint: "write the PIN into a file of mode 0400 and name it with pinSource")
            return false
        }
        return true
    }
}
