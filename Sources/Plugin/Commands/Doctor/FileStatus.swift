internal import Glibc

/// Owner, kind and mode of a file.
struct FileStatus {
    let owner: UInt32
    /// Permission bits.
    let mode: UInt32
    private let kind: UInt32

    /// Follows links; nil when there is no such file.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        owner = status.st_uid
        mode = status.st_mode & 0o7777
        kind = status.st_mode & UInt32(S_IFMT)
    }

    var isDirectory: Bool { kind == UInt32(S_IFDIR) }
    var isSocket: Bool { kind == UInt32(S_IFSOCK) }
    var modeText: String { FileStatus.text(mode) }

    static func text(_ mode: UInt32) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }

    /// Why a path cannot be had.
    static func reason(_ path: String) -> String {
        access(path, F_OK) == 0 ? "is not a folder" : String(cString: strerror(errno))
    }
}
