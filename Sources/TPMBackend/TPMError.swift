public import Keyring

/// Why a TPM could not be used. Holds no PIN and no key material.
public struct TPMError: Error, Sendable, Equatable {
    /// What kind of failure it is.
    public enum Code: String, Sendable {
        /// The configuration cannot be right: TCTI, paths, limits.
        case configuration
        /// The device is not there, or this process may not open it.
        case device
        /// The TPM has no storage root key of ours: it was never enrolled here.
        case notEnrolled
        /// The storage root key is not the one that was pinned: the TPM was replaced or cleared, or somebody answers in
        /// its place.
        case replaced
        /// The node's own file with the pinned key cannot be read or written.
        case pin
        /// The PIN file cannot be used: missing, too open, empty, too long.
        case pinSource
        /// The PIN was refused, or the guard holds it back.
        case pinBlocked
        /// The TPM's state does not fit the policy.
        case policy
        /// The TPM answers so, but this process cannot have been talking to it alone.
        case interference
        /// A TPM command or the library failed.
        case call
        /// Memory, randomness or libcrypto of this process failed, not the TPM.
        case local
        /// A seal that does not parse, does not open, or is of a kind that this version does not know.
        case seal
        /// No answer in time.
        case deadline
        /// The backend was shut down.
        case shutdown
    }

    /// What kind of failure it is.
    public let code: Code
    /// What the caller can do about it.
    public let errorClass: SealingError.Class
    /// What failed and why, lower case, no final period: `TPM2_Load: 0x1df (…)`.
    public let message: String
    /// What to do about it.
    public let hint: String?
    /// What the device's thread does before it tries again.
    let remedy: Remedy
    /// What the library said; `success` when it did not.
    let returnCode: ReturnCode
    /// Which command failed, when one did.
    let command: Command?
    /// Whether the call was refused since too many wait.
    let isBusy: Bool
    /// Whether somebody else than the pinned TPM may have made the answer, or changed the command.
    let isAlarm: Bool

    /// An error of this module.
    init(
        _ code: Code, _ message: String, hint: String? = nil, errorClass: SealingError.Class = .operatorMustAct,
        remedy: Remedy = .none, returnCode: ReturnCode = .success, command: Command? = nil,
        isBusy: Bool = false, isAlarm: Bool = false
    ) {
        self.code = code
        self.errorClass = errorClass
        self.message = message
        self.hint = hint
        self.remedy = remedy
        self.returnCode = returnCode
        self.command = command
        self.isBusy = isBusy
        self.isAlarm = isAlarm || code == .interference
    }

    /// As the sealing chain takes it. What a disturbed bus has refused is asked for again.
    var sealingError: SealingError {
        SealingError(errorClass, message, hint: hint, cause: self, mayPass: code == .policy || isAlarm)
    }
}

extension TPMError: CustomStringConvertible {
    /// The message, and the hint after a semicolon.
    public var description: String {
        guard let hint else { return message }
        return "\(message); \(hint)"
    }
}
