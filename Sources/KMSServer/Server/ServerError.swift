internal import Glibc
internal import Keyring

/// Why a server could not start: which socket or folder, why, and what to do.
public struct ServerError: Error, Sendable, Equatable {
    /// What kind of error it is.
    public enum Code: String, Sendable {
        /// Somebody listens on this socket already.
        case inUse
        /// Something that is not a socket of ours stands in the way.
        case occupied
        /// Others than this process's user could replace the socket.
        case insecure
        /// The operating system refused for want of permission.
        case notPermitted
        /// A path that no socket can have.
        case invalidPath
        /// What systemd handed over is not what a KMS server needs.
        case activation
        /// `start` was called before.
        case state
        /// Any other failure of the operating system or of gRPC core.
        case system
    }

    /// What kind of error it is.
    public let code: Code
    /// The socket, folder or variable.
    public let subject: String
    /// What is wrong, lower case, without a final period.
    public let reason: String
    /// What to do about it.
    public let hint: String

    init(_ code: Code, _ subject: String, _ reason: String, hint: String) {
        self.code = code
        self.subject = subject
        self.reason = reason
        self.hint = hint
    }

    /// A failed system call.
    init(_ call: String, _ subject: String, errno code: Int32) {
        let (kind, hint): (Code, String) =
            switch code {
            case EACCES, EPERM: (.notPermitted, "start it as the user that may do so, or choose another path")
            case ENOENT, ENOTDIR: (.system, "create the folder, or correct the path")
            case EROFS: (.system, "choose a path on a writable file system, such as below /run")
            case EMFILE, ENFILE: (.system, "raise the limit of open files (LimitNOFILE)")
            case ENOSPC, EDQUOT: (.system, "make room on its file system")
            default: (.system, "see the system's log")
            }
        self.init(kind, subject, "\(call): \(systemError(code))", hint: hint)
    }
}

extension ServerError: CustomStringConvertible {
    /// Subject, reason and hint.
    public var description: String { "\(subject): \(reason); \(hint)" }
}
