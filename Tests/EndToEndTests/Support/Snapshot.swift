import TestSupport

/// Names, modes and contents of a folder and all below it.
struct Snapshot: Equatable {
    private struct Entry: Equatable {
        let mode: UInt32
        let content: [UInt8]?
    }

    private var entries: [String: Entry] = [:]

    init(of folder: String) throws {
        for path in try Snapshot.paths(in: folder) {
            let content = Files.isDirectory(path) ? nil : try Files.read(path)
            entries[path] = Entry(mode: try Files.mode(path), content: content)
        }
    }

    /// The files of a folder and all below it, sorted.
    static func files(in folder: String) throws -> [String] {
        try paths(in: folder).filter { !Files.isDirectory($0) }
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
