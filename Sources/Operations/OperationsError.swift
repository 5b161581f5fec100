internal import Glibc

/// Why the operations server could not start.
public struct OperationsError: Error, Sendable, Equatable {
    /// The address, or the library.
    public let subject: String
    /// What is wrong, lower case, without a final period.
    public let reason: String
    /// What to do about it.
    public let hint: String

    init(_ subject: String, _ reason: String, hint: String) {
        self.subject = subject
        self.reason = reason
        self.hint = hint
    }

    /// A failed system call.
    init(_ call: String, _ subject: String, errno code: Int32) {
        let hint =
            switch code {
            case EADDRINUSE: "another process listens there: name another address in metrics.listen"
            case EADDRNOTAVAIL, EAFNOSUPPORT: "this machine does not have that address"
            case EACCES, EPERM: "let the plugin's user do that, or name another address in metrics.listen"
            case ENOENT, ENOTDIR: "make the socket's folder, owned by the plugin's user"
            default: "see the error"
            }
        self.init(subject, "\(call): \(String(cString: strerror(code)))", hint: hint)
    }
}
