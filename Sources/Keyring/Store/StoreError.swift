internal import Glibc

/// Why the keyring's directory could not be read or written: which file, why, and what to do.
public struct StoreError: Error, Sendable, Equatable {
    /// What kind of error it is.
    public enum Code: String, Sendable {
        /// There is no such directory or file.
        case missing
        /// Owner, mode or type of a directory or file is not what it has to be.
        case insecure
        /// The operating system refused for want of permission.
        case notPermitted
        /// Another process writes this keyring.
        case locked
        /// A read-only file system, or a store that was opened for reading.
        case readOnly
        /// `init` or `recover` did not come to its end.
        case interrupted
        /// There is a keyring already.
        case exists
        /// A file that the keyring needs does not parse, or does not fit the others.
        case damaged
        /// The keyring holds less than it once did: `highest` names a later generation.
        case rollback
        /// The disk, or the quota, is full.
        case noSpace
        /// Any other failure of the operating system.
        case system
    }

    /// What kind of error it is.
    public let code: Code
    /// The file or directory.
    public let path: String
    /// What is wrong, lower case, without a final period.
    public let reason: String
    /// What to do about it.
    public let hint: String

    /// An error about the file at `path`.
    public init(_ code: Code, _ path: String, _ reason: String, hint: String) {
        self.code = code
        self.path = path
        self.reason = reason
        self.hint = hint
    }

    /// A failed system call.
    init(_ call: String, _ path: String, errno code: Int32) {
        let (kind, hint): (Code, String) =
            switch code {
            case ENOENT: (.missing, "create it, or correct keyring.directory")
            case ENOTDIR, ELOOP, EISDIR, ENXIO: (.insecure, "remove what stands there; symbolic links are not followed")
            case EACCES, EPERM: (.notPermitted, "run as the owner of the keyring's directory")
            case EROFS: (.readOnly, "mount the file system writable")
            case ENOSPC, EDQUOT, EFBIG: (.noSpace, "make room on its file system and repeat; nothing was changed")
            case EMFILE, ENFILE: (.system, "raise the limit of open files (LimitNOFILE)")
            default: (.system, "see the kernel's log for errors of this disk")
            }
        self.init(kind, path, "\(call): \(systemError(code))", hint: hint)
    }
}

extension StoreError: CustomStringConvertible {
    /// Path, reason and hint.
    public var description: String { "\(path): \(reason); \(hint)" }
}
