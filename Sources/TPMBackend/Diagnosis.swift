internal import CTSS2
internal import Keyring

/// Everything that `doctor` can check about a TPM, in the order in which a start needs it; stops where the next check
/// cannot be made. Changes nothing.
struct Diagnosis: Sendable {
    private let configuration: CheckedConfiguration
    private let device: Device
    private let enrolment: Enrolment
    private let pin: ObjectPIN?

    init(_ configuration: CheckedConfiguration, _ device: Device, _ enrolment: Enrolment, _ pin: ObjectPIN?) {
        self.configuration = configuration
        self.device = device
        self.enrolment = enrolment
        self.pin = pin
    }

    func run() -> [Finding] {
        var findings: [Finding] = []
        if let problem = DevicePath(configuration.tcti)?.problem {
            return [Finding(.error, subject, systemError(problem.code), hint: problem.hint)]
        }
        let state = check(subject, { (state: TPMState) in "answers: \(state.text)" }) { () throws(TPMError) in
            try device.run { (context) throws(TPMError) in try context.readState() }
        }
        findings.append(state.finding)
        guard let state = state.value else { return findings }
        let key = check("storage root key", { (key: StorageKey) in "enrolled, Name \(key.text)" }) {
            () throws(TPMError) in
            try device.run { (context) throws(TPMError) in try enrolment.checked(context, enrol: false) }
        }
        findings.append(key.finding)
        findings += state.findings(under: key.value)
        guard let key = key.value else { return findings + (pin?.findings(under: nil) ?? []) }
        if key.countsGuesses {
            findings.append(Finding(.warning, "storage root key", StorageKey.guessing, hint: StorageKey.otherRecipient))
        }
        return findings + policies(key) + (pin?.findings(under: key) ?? [])
    }

    /// For each way in which the configured policy lets a seal open: whether the TPM's present state would do.
    private func policies(_ key: StorageKey) -> [Finding] {
        let policy = configuration.policy
        guard policy != .none else {
            return [Finding(.ok, "policy", "none: seals open on this TPM, whatever was booted")]
        }
        let targets = check("policy", { (_: [PolicyTarget]) in "" }) { () throws(TPMError) in
            try device.run { (context) throws(TPMError) in try policy.targets(context, key) }
        }
        guard let found = targets.value else { return [targets.finding] }
        let states = found.map { target in
            check("policy", { (state: String) in state }) { () throws(TPMError) in
                let requirement = try policy.requirement(target.parameters)
                return try device.run { (context) throws(TPMError) in try requirement.state(context) }
            }.finding
        }
        guard states.contains(where: { $0.severity == .ok }) else { return states }
        // One state is enough: the others are to come, or over.
        return states.map {
            $0.severity == .ok ? $0 : Finding(.ok, $0.subject, "a state that is not the present one: \($0.detail)")
        }
    }

    private var subject: String { "TPM \(configuration.tcti)" }

    private func check<R>(
        _ subject: String, _ success: (R) -> String, _ body: () throws(TPMError) -> R
    ) -> (value: R?, finding: Finding) {
        do throws(TPMError) {
            let value = try body()
            return (value, Finding(.ok, subject, success(value)))
        } catch {
            return (nil, Finding(.error, subject, error.message, hint: error.hint))
        }
    }
}
