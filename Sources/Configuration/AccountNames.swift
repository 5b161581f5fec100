internal import Glibc

/// Users and groups by name, from /etc/passwd and /etc/group alone: no NSS, whose modules would be loaded into the
/// process that holds the keys, and which may ask a network that needs the cluster first.
public struct AccountNames: Sendable {
    private let passwd: @Sendable () -> String
    private let group: @Sendable () -> String

    /// Names from the two texts, in the format of passwd(5) and group(5).
    public init(passwd: String, group: String) {
        self.passwd = { passwd }
        self.group = { group }
    }

    private init(passwdPath: String, groupPath: String) {
        passwd = { AccountNames.contents(of: passwdPath) }
        group = { AccountNames.contents(of: groupPath) }
    }

    /// This machine's. The files are read when the first name is looked up.
    public static let system = AccountNames(passwdPath: "/etc/passwd", groupPath: "/etc/group")

    /// The uid of a user name.
    public func user(_ name: String) -> UInt32? { AccountNames.number(of: name, in: passwd()) }

    /// The gid of a group name.
    public func group(_ name: String) -> UInt32? { AccountNames.number(of: name, in: group()) }

    /// Both files have the name in the first and the number in the third field.
    private static func number(of name: String, in text: String) -> UInt32? {
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 3, omittingEmptySubsequences: false)
            guard fields.count == 4, fields[0].elementsEqual(name.utf8) else { continue }
            return UInt32(String(decoding: Array(fields[2]), as: UTF8.self))
        }
        return nil
    }

    private static func contents(of path: String) -> String {
        (try? BoundedFile.read(path, limit: 4 << 20)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}

/// Why a file could not be read.
public struct FileError: Error, Sendable, Equatable {
    /// `No such file or directory`, or the limit that it passed.
    public let reason: String
}

/// Reads whole files that have to be small.
public enum BoundedFile {
    /// The file's bytes.
    ///
    /// - Throws: `FileError` with the system's reason, or when there are more than `limit` bytes.
    public static func read(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        return try read(descriptor: descriptor, limit: limit)
    }

    /// All that is left to read from an open descriptor.
    ///
    /// - Throws: as `read(_:limit:)`.
    public static func read(descriptor: CInt, limit: Int) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw FileError(reason: String(cString: strerror(errno))) }
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else { throw FileError(reason: "is larger than \(limit) bytes") }
            bytes += chunk[..<count]
        }
    }
}
