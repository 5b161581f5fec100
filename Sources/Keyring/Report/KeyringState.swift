/// How far a keyring has come.
public struct KeyringState: Sendable, Hashable {
    /// Where it stands.
    public enum Phase: String, Sendable, CaseIterable {
        /// The active KEK is being opened for the first time.
        case opening
        /// No backend has opened the active KEK yet; tried again by itself.
        case waiting
        /// The active KEK cannot serve until an operator acts; looked at again by itself.
        case blocked
        /// The active KEK is open; Encrypt and Decrypt answer from memory, whatever the backends do.
        case serving
        /// No plugin runs, or it has been shut down.
        case stopped
    }

    /// Where it stands.
    public var phase: Phase
    /// Why it is not serving, lower case, without a final period.
    public var reason: String?
    /// What to do about it.
    public var hint: String?

    /// A state.
    public init(_ phase: Phase, reason: String? = nil, hint: String? = nil) {
        self.phase = phase
        self.reason = reason
        self.hint = hint
    }
}

extension KeyringState: CustomStringConvertible {
    /// Phase, reason and hint in one line.
    public var description: String {
        var text = phase.rawValue
        if let reason { text += ": \(reason)" }
        if let hint { text += "; \(hint)" }
        return text
    }
}
