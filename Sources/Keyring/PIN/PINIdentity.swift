internal import CLinux
internal import Glibc

/// Which file a PIN came from: as much as changes when an operator corrects it. Says nothing about the PIN.
package struct PINFileIdentity: Sendable, Equatable {
    let device: UInt64
    let inode: UInt64
    /// Nanoseconds since 1970.
    let modified: Int64
    let changed: Int64
    /// Bytes.
    let size: Int64

    /// Of an open file.
    init(_ entry: stat) {
        device = UInt64(entry.st_dev)
        inode = UInt64(entry.st_ino)
        modified = PINFileIdentity.nanoseconds(entry.st_mtim)
        changed = PINFileIdentity.nanoseconds(entry.st_ctim)
        size = Int64(entry.st_size)
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// What held a PIN.
package enum PINIdentity: Sendable, Equatable {
    case file(PINFileIdentity)
    /// The configuration's URI; it has no identity of its own, so a guard on it ends only by hand.
    case inline

    /// One line, as the guard's file holds it.
    package var text: String {
        switch self {
        case .file(let file): "file \(file.device) \(file.inode) \(file.modified) \(file.changed) \(file.size)"
        case .inline: "inline"
        }
    }

    /// Nil unless `text` is exactly what `text` of some identity would be.
    package init?(text: some StringProtocol) {
        if text == "inline" {
            self = .inline
            return
        }
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words[0] == "file", let device = UInt64(words[1]), let inode = UInt64(words[2]),
            let modified = Int64(words[3]), let changed = Int64(words[4]), let size = Int64(words[5])
        else { return nil }
        self = .file(
            PINFileIdentity(device: device, inode: inode, modified: modified, changed: changed, size: size))
        guard self.text == text else { return nil }
    }
}

extension PINFileIdentity {
    /// Nanoseconds since 1970, and bytes.
    package init(device: UInt64, inode: UInt64, modified: Int64, changed: Int64, size: Int64) {
        self.device = device
        self.inode = inode
        self.modified = modified
        self.changed = changed
        self.size = size
    }
}
