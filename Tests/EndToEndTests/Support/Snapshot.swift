import TestSupport

/// Names, modes and contents of a folder and all below it.
struct Snapshot {
    private struct Entry: Equatable {
        let mode: UInt32
        let content: [UInt8]?
    }

    private let folder: String
    private let entries: [String: Entry]

    init(of folder: String) throws {
        self.folder = folder
        entries = try Snapshot.entries(in: folder)
    }

    /// What has come, gone or changed since then.
    var changes: [String] {
        get throws {
            let now = try Snapshot.entries(in: folder)
            return Set(entries.keys).union(now.keys).filter { entries[$0] != now[$0] }.sorted()
        }
    }

    /// The files of a folder and all below it, sorted.
    static func files(in folder: String) throws -> [String] {
        try paths(in: folder).filter { !Files.isDirectory($0) }
    }

    private static func entries(in folder: String) throws -> [String: Entry] {
        var entries: [String: Entry] = [:]
        // The lock says who held it last.
        for path in try paths(in: folder) where path != folder + "/lock" {
            let content = Files.isDirectory(path) ? nil : try Files.read(path)
            entries[path] = Entry(mode: try Files.mode(path), content: content)
        }
        return entries
    }

    private static func paths(in folder: String) throws -> [String] {
        var paths: [String] = []
        for name in try Files.list(folder) {
            let path = folder + "/" + name
            paths.append(path)
            if Files.isDirectory(path) { paths += try Snapshot.paths(in: path) }
        }
        return paths
    }
}
