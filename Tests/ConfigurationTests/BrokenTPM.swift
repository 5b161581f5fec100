extension BrokenConfiguration {
    static let tpm: [BrokenConfiguration] = [
        broken("[]", ["18: backends[1].tpm: expected a mapping, found a list"]),
        broken("{device: tpmrm0}", ["18: backends[1].tpm: the device is no TCTI"]),
        broken("{device: 7}", ["18: backends[1].tpm.device: expected text, found a number"]),
        broken("{devic: x}", ["18: backends[1].tpm.devic: unknown key"]),
        broken("{pin: 1234}", ["18: backends[1].tpm.pin: secrets do not belong into the configuration"]),
        broken("{password: x}", ["18: backends[1].tpm.password: secrets do not belong into the configuration"]),
        broken("{pinSource: pin}", ["18: backends[1].tpm.pinSource: is not an absolute path"]),
        broken("{idleClose: 0s}", ["18: backends[1].tpm.idleClose: 0s is not between 100ms and 1m"]),
        broken("{idleClose: 3}", ["18: backends[1].tpm.idleClose: expected a duration, found a number"]),
        broken("{policy: signed}", ["18: backends[1].tpm.policy: expected a mapping, found text"]),
        // What is left of a policy whose lines were lost must not read as "no policy".
        broken("{policy: {}}", ["18: backends[1].tpm.policy: is empty"]),
        broken("{policy: }", ["18: backends[1].tpm.policy: has no value"]),
        broken("{policy: {signed: }}", ["18: backends[1].tpm.policy.signed: has no value"]),
        broken("{policy: {pcrs: }}", ["18: backends[1].tpm.policy.pcrs: has no value"]),
        broken("{policy: {pcrs: [\"\"]}}", ["18: backends[1].tpm.policy.pcrs[0]: is empty"]),
        broken("{policy: {signed: {pcrs: \"\"}}}", ["18: backends[1].tpm.policy.signed.pcrs: is empty"]),
        broken("{policy: {pcr: [7]}}", ["18: backends[1].tpm.policy.pcr: unknown key"]),
        broken("{policy: {pcrs: []}}", ["18: backends[1].tpm.policy.pcrs: has 0 items, not 1 to 8"]),
        broken("{policy: {pcrs: a}}", ["18: backends[1].tpm.policy.pcrs: expected a list, found text"]),
        broken("{policy: {pcrs: [7]}}", ["18: backends[1].tpm.policy.pcrs[0]: expected text, found a number"]),
        broken(
            "{policy: {signed: {}, pcrs: [a]}}", ["18: backends[1].tpm.policy: is both signed and pcrs"]),
        broken(
            "{policy: {signed: {publicKey: k, sig: /s}}}",
            [
                #"18: backends[1].tpm.policy.signed.publicKey: "k" is not an absolute path"#,
                "18: backends[1].tpm.policy.signed.sig: unknown key",
            ]),
    ]

    private static func broken(_ section: String, _ findings: [String]) -> BrokenConfiguration {
        BrokenConfiguration(16, "    pinSource: /etc/pin\n- name: node-tpm\n  tpm: \(section)", findings)
    }
}
