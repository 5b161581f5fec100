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
        findings += state.findings
        let key = check("storage root key", { (key: StorageKey) in "enrolled, Name \(key.text)" }) {
            () throws(TPMError) in
            try device.run { (context) throws(TPMError) in try enrolment.checked(context, enrol: false) }
        }
        findings.append(key.finding)
        return findings + (pin?.findings(under: key.value) ?? [])
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
