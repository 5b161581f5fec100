/// The section `tpm` of a backend.
struct TPMSchema {
    /// The kernel's resource manager.
    static let defaultDevice = "device:/dev/tpmrm0"
    static let defaultIdleClose = Duration.seconds(3)
    /// States that a literal policy may name; each is a seal of its own.
    static let maximumStates = 8

    let check: PluginConfiguration.TPMCheck

    func read(_ section: Section) -> PluginConfiguration.TPM {
        section.refuse(
            "secrets do not belong into the configuration",
            hint: "write the PIN into a file of mode 0400 and name it with pinSource"
        ) { ["pin", "password", "auth", "secret"].contains($0.lowercased()) }
        let before = section.diagnosis.diagnostics.count
        let device = section.string("device")
        let pinSource = section.path("pinSource", isPrivate: true)
        let idleClose = section.duration("idleClose", in: .milliseconds(100)...(.seconds(60)))
        // An empty mapping is no way to say "none": it is what is left of a policy whose lines were lost.
        let hasPolicy = !section.present(["policy"]).isEmpty
        let policy = hasPolicy ? section.section("policy").map(policy) ?? .none : .none
        section.finish()
        let tpm = PluginConfiguration.TPM(
            device: device?.value ?? TPMSchema.defaultDevice, pinSource: pinSource?.value,
            idleClose: idleClose?.value ?? TPMSchema.defaultIdleClose, policy: policy)
        // The backend looks only at what is all right by itself.
        if section.diagnosis.diagnostics.count == before, let problem = check(tpm) {
            section.report("", line: section.line, problem.reason, hint: problem.hint)
        }
        return tpm
    }

    private func policy(_ section: Section) -> PluginConfiguration.TPM.Policy {
        let kinds = section.present(["signed", "pcrs"])
        if section.isEmpty {
            section.report(
                "", line: section.line, "is empty",
                hint:
                    "for no policy leave the key policy away; else write signed: {pcrs: \"sha256:11\"}, or pcrs: with "
                    + "a list such as [\"sha256:7+11\"]")
        }
        defer { section.finish() }
        if kinds.count > 1 {
            section.report(
                "", line: section.line, "is both signed and pcrs", hint: "make a backend of each, or leave one away")
        }
        if kinds.contains(where: { $0.value == "signed" }) {
            guard let signed = section.section("signed") else { return .none }
            let pcrs = signed.string("pcrs")
            let publicKey = signed.path("publicKey")
            let signatures = signed.path("signatures")
            signed.finish()
            return .signed(pcrs: pcrs?.value, publicKey: publicKey?.value, signatures: signatures?.value)
        }
        guard let items = section.list("pcrs") else { return .none }
        guard 1...TPMSchema.maximumStates ~= items.count else {
            section.report(
                "pcrs", line: section.line(of: "pcrs"), "has \(items.count) items, not 1 to \(TPMSchema.maximumStates)",
                hint: "one for each state in which the TPM is to open, such as \"sha256:7+11\"")
            return .none
        }
        return .literal(
            pcrs: items.compactMap { Section.string($0.value, key: $0.key, diagnosis: section.diagnosis)?.value })
    }
}
