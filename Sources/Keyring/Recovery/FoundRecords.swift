internal import CLinux
internal import Glibc

/// What `recover` was given: record files from wherever they lie, a keyring's folder or loose copies. Owners, modes and
/// names are not looked at, since copies have others; nothing of it is believed yet.
public struct FoundRecords: Sendable {
    /// A record and the file it was read from.
    public struct Found: Sendable {
        /// The file's path.
        public let file: String
        /// Its MAC is not checked yet.
        public let record: Record
    }

    /// In the order in which they were read. Several may be of one KEK: copies from several nodes.
    public internal(set) var records: [Found] = []
    /// From a keyring folder's `local/`.
    public internal(set) var localSeals: [Seal] = []
    /// Files that do not parse.
    public internal(set) var damaged: [DamagedFile] = []
    /// The highest generation that a keyring folder says was ever active there, with the file that says so.
    var highest: (file: String, generation: UInt64)?

    /// Reads records.
    ///
    /// - Parameter paths: of a folder every file whose name ends with ".record" is read, and what a keyring's folder has
    ///   besides; of a file its record, whatever its name.
    /// - Throws: `store` when a path cannot be read, or when no record is found.
    public static func read(_ paths: [String]) throws(KeyringError) -> FoundRecords {
        var found = FoundRecords()
        do throws(StoreError) {
            for path in paths {
                if let names = try names(in: path) {
                    try found.readFolder(path, names)
                } else {
                    found.readRecord(path)
                }
            }
        } catch {
            throw KeyringError(error)
        }
        guard !found.records.isEmpty else {
            let reason =
                found.damaged.first.map { "no usable record: \($0.file): \($0.reason)" } ?? "no record is there"
            throw KeyringError(
                .store, "\(paths.joined(separator: ", ")): \(reason)",
                hint: "name the folder of the lost keyring, or files that end with \(RecordFile.suffix)")
        }
        return found
    }

    private mutating func readFolder(_ path: String, _ names: [String]) throws(StoreError) {
        for name in names where name.hasSuffix(RecordFile.suffix) && !name.hasPrefix(".") {
            readRecord(path + "/" + name)
        }
        if names.contains(HighestFile.name) {
            let file = path + "/" + HighestFile.name
            let generation = parse(file, limit: HighestFile.maximumSize, HighestFile.decode)
            if let generation, generation > highest?.generation ?? 0 { highest = (file, generation) }
        }
        if names.contains(RolesFile.name) {
            let file = path + "/" + RolesFile.name
            let generation = parse(file, limit: RolesFile.maximumSize, RolesFile.decode)?.active.generation
            if let generation, generation > highest?.generation ?? 0 { highest = (file, generation) }
        }
        let local = path + "/" + LocalSealFile.directory
        guard names.contains(LocalSealFile.directory), let seals = try FoundRecords.names(in: local) else { return }
        for name in seals where name.hasSuffix(LocalSealFile.suffix) && !name.hasPrefix(".") {
            if let seal = parse(local + "/" + name, limit: LocalSealFile.maximumSize, LocalSealFile.decode) {
                localSeals.append(seal)
            }
        }
    }

    private mutating func readRecord(_ file: String) {
        guard let record = parse(file, limit: RecordFile.maximumSize, RecordFile.decode) else { return }
        records.append(Found(file: file, record: record))
    }

    private mutating func parse<Value>(
        _ file: String, limit: Int, _ decode: ([UInt8]) throws(FormatError) -> Value
    ) -> Value? {
        do throws(StoreError) {
            let bytes = try FoundRecords.contents(of: file, limit: limit)
            do throws(FormatError) {
                return try decode(bytes)
            } catch {
                damaged.append(DamagedFile(file: file, reason: "\(error)"))
            }
        } catch {
            damaged.append(DamagedFile(file: file, reason: error.reason))
        }
        return nil
    }

    private static func contents(of file: String, limit: Int) throws(StoreError) -> [UInt8] {
        // Not blocking: opening a FIFO would wait for its writer.
        let raw = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard raw >= 0 else { throw StoreError("open", file, errno: errno) }
        let input = Descriptor(raw)
        guard try input.status(file).st_mode & S_IFMT == S_IFREG else {
            throw StoreError(.insecure, file, "not a file", hint: "name a record file or a folder")
        }
        return try input.read(limit: limit, file)
    }

    /// Sorted; nil when the path is not a folder's.
    private static func names(in path: String) throws(StoreError) -> [String]? {
        guard let stream = opendir(path) else {
            guard errno == ENOTDIR else { throw StoreError("open", path, errno: errno) }
            return nil
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
            guard names.count <= StoreDirectory.maximumEntries else {
                throw StoreError(
                    .damaged, path, "more than \(StoreDirectory.maximumEntries) files",
                    hint: "name the folder that holds the records alone")
            }
        }
        return names.sorted()
    }
}
