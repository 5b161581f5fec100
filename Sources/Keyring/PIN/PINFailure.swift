/// Why a PIN cannot be had, or is held back. Never holds the PIN.
package struct PINFailure: Error, Sendable, Equatable {
    /// What kind of failure it is.
    package enum Code: Sendable {
        /// The PIN file cannot be used: missing, too open, empty, too long.
        case source
        /// The guard cannot do its work, so that no PIN is sent.
        case blocked
        /// Somebody else shows a PIN to the device, and does not end.
        case busy
        /// There is no memory for secrets.
        case memory
    }

    /// What kind of failure it is.
    package let code: Code
    /// What failed and why, lower case, no final period.
    package let message: String
    /// What to do about it.
    package let hint: String?

    /// A failure.
    package init(_ code: Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }
}
