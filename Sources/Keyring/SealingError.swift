/// Why a backend could not seal, unseal or answer.
///
/// The text is for the operator and is shown by `status` and the log: it says which call failed and why, and the hint
/// says what to do. It never holds key material or a PIN.
public struct SealingError: Error, Sendable {
    /// What the caller can do about it.
    public enum Class: String, Sendable, Codable, CaseIterable {
        /// The same call may succeed later: busy, deadline, rate limit.
        case retry
        /// The connection to the device is lost; the backend reopens it by itself.
        case reopen
        /// This call will never succeed: the seal does not open with this sealing key. "Does not open" and "opens to
        /// another key" are one class, so that nobody learns which.
        case permanent
        /// Nothing will change until the operator does something: wrong PIN, missing key, unsafe key.
        case operatorMustAct
    }

    /// What the caller can do about it.
    public let errorClass: Class
    /// What failed and why, lower case, without a final period: `C_Login: CKR_PIN_INCORRECT (wrong PIN)`.
    public let message: String
    /// What to do about it, or nil when there is nothing better than to wait.
    public let hint: String?
    /// The backend module's own error.
    public let cause: (any Error)?
    /// Of a permanent error: that what refused is the state of the machine, or a file that is replaced while this process
    /// runs, so that the same seal may open another time.
    public let mayPass: Bool

    /// An error of this class.
    public init(
        _ errorClass: Class, _ message: String, hint: String? = nil, cause: (any Error)? = nil, mayPass: Bool = false
    ) {
        self.errorClass = errorClass
        self.message = message
        self.hint = hint
        self.cause = cause
        self.mayPass = mayPass
    }
}

extension SealingError: CustomStringConvertible {
    /// Message and hint.
    public var description: String {
        guard let hint else { return message }
        return "\(message); \(hint)"
    }
}
