/// What can be changed in a store. Each change is durable when it returns; each of them throws `damaged` rather than
/// replace a file that cannot be read, `readOnly`, and what the operating system refuses.
extension KeyringStore {
    /// Stores a record under its own name, in place of an earlier version of it.
    public func writeRecord(_ record: Record) throws(StoreError) {
        let name = RecordFile.name(record.identity)
        try change { (directory) throws(StoreError) in
            try KeyringStore.checkReadable(directory, name, limit: RecordFile.maximumSize) {
                (bytes) throws(FormatError) in
                guard try RecordFile.decode(bytes).identity == record.identity else {
                    throw FormatError(.conflict, "record", "another one than its name says")
                }
            }
            try directory.write(name, RecordFile.encode(record))
        }
    }

    /// Stores the roles, then raises `highest` to the active generation. In this order, since a process that ends in
    /// between has to start again: it then finds `highest` too low, never too high.
    public func writeRoles(_ roles: Roles) throws(StoreError) {
        try change { (directory) throws(StoreError) in
            try KeyringStore.checkReadable(directory, RolesFile.name, limit: RolesFile.maximumSize) {
                (bytes) throws(FormatError) in _ = try RolesFile.decode(bytes)
            }
            try directory.write(RolesFile.name, RolesFile.encode(roles))
            try KeyringStore.raise(directory, to: roles.active.generation)
        }
    }

    /// Raises `highest`; a lower number than the stored one changes nothing.
    public func writeHighest(_ generation: UInt64) throws(StoreError) {
        try change { (directory) throws(StoreError) in try KeyringStore.raise(directory, to: generation) }
    }

    /// Stores the pins in place of earlier ones. A file that does not parse is replaced, too: it keeps nothing but seals
    /// from being made, and an operator's command that makes it anew is what mends it.
    ///
    /// - Throws: `damaged` also when they cannot be stored.
    func writePins(_ pins: Pins) throws(StoreError) {
        let bytes: [UInt8]
        do throws(FormatError) {
            bytes = try PinsFile.encode(pins)
        } catch {
            throw StoreError(.damaged, path, "\(error)", hint: "configure fewer backends; nothing was changed")
        }
        try change { (directory) throws(StoreError) in try directory.write(PinsFile.name, bytes) }
    }

    /// Stores a seal that is of use on this node only, in place of an earlier one of the same KEK to the same recipient.
    ///
    /// - Throws: `damaged` also when the seal is not one that can be stored.
    public func writeLocalSeal(_ seal: Seal) throws(StoreError) {
        let name: String
        let bytes: [UInt8]
        do throws(FormatError) {
            name = try LocalSealFile.name(kekID: seal.kekID, recipient: seal.recipient)
            bytes = try LocalSealFile.encode(seal)
        } catch {
            throw StoreError(.damaged, path, "\(error)", hint: "nothing was changed; this is a defect of the backend")
        }
        try change { (directory) throws(StoreError) in
            try directory.makeDirectory(LocalSealFile.directory)
            guard let local = try directory.subdirectory(LocalSealFile.directory, forWriting: true) else { return }
            try KeyringStore.checkReadable(local, name, limit: LocalSealFile.maximumSize) {
                (bytes) throws(FormatError) in _ = try LocalSealFile.decode(bytes)
            }
            try local.write(name, bytes)
        }
    }

    /// Removes the node-local seal of a KEK to a recipient; nothing happens when it is gone.
    func removeLocalSeal(_ seal: Seal) throws(StoreError) {
        let name: String
        do throws(FormatError) {
            name = try LocalSealFile.name(kekID: seal.kekID, recipient: seal.recipient)
        } catch {
            throw StoreError(.damaged, path, "\(error)", hint: "nothing was changed")
        }
        try removeLocalSeal(StoredLocalSeal(file: LocalSealFile.directory + "/" + name, seal: seal))
    }

    /// Removes a node-local seal; nothing happens when it is gone.
    public func removeLocalSeal(_ seal: StoredLocalSeal) throws(StoreError) {
        let name = String(seal.file.dropFirst(LocalSealFile.directory.count + 1))
        try change { (directory) throws(StoreError) in
            try directory.subdirectory(LocalSealFile.directory, forWriting: true)?.remove(name)
        }
    }

    private static func raise(_ directory: StoreDirectory, to generation: UInt64) throws(StoreError) {
        var stored: UInt64 = 0
        try checkReadable(directory, HighestFile.name, limit: HighestFile.maximumSize) { (bytes) throws(FormatError) in
            stored = try HighestFile.decode(bytes)
        }
        guard stored < generation else { return }
        try directory.write(HighestFile.name, HighestFile.encode(generation))
    }

    /// A damaged file may be all that is left of something: it is for the operator to remove.
    private static func checkReadable(
        _ directory: StoreDirectory, _ name: String, limit: Int, _ decode: ([UInt8]) throws(FormatError) -> Void
    ) throws(StoreError) {
        guard let bytes = try directory.read(name, limit: limit) else { return }
        do throws(FormatError) {
            try decode(bytes)
        } catch {
            throw StoreError(
                .damaged, directory.path + "/" + name, "\(error)",
                hint: "restore it from a backup, or move it away; it is not overwritten")
        }
    }
}
