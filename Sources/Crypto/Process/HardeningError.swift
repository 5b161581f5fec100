internal import Glibc

/// Why a process could not be hardened.
public struct HardeningError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What failed and why.
    public let message: String
    /// What to do.
    public let hint: String?

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    /// The failure of a system call, with errno's text.
    init(_ call: String, _ code: CInt, hint: String? = nil) {
        self.init("\(call): \(String(cString: strerror(code)))", hint: hint)
    }

    /// The message, without the hint.
    public var description: String { message }
}
