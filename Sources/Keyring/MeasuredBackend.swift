/// A backend on a device that measures the machine, a TPM: whether its seals open depends on what was booted.
public protocol MeasuredBackend: SealingBackend {
    /// What the policies of this backend's seals ask for and whether that is so now, in the order of the recipients; those
    /// of other backends are left out. Opens nothing, and never fails: what the device does not tell is not known.
    func policies(of recipients: [Recipient], until: ContinuousClock.Instant) async -> [PolicyReport]

    /// This node's own recipients for states that are to come, besides those of `localRecipients(until:)`.
    ///
    /// - Parameter states: a text for each, in the backend's own language; at least one.
    func localRecipients(
        expecting states: [String], until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient]

    /// What an operator should know about the device at any time, a sentence each; the device is not asked.
    var notices: [String] { get }

    /// How many answers came in the device's name, since the start, that it cannot have made.
    var alarms: UInt64 { get }
}
