/// Reading the store.
extension KeyringStore {
    /// Everything that the directory holds. Files that cannot be used are listed and left alone.
    ///
    /// - Throws: only when the directory itself cannot be read.
    public func load() throws(StoreError) -> StoredKeyring {
        var damaged: [DamagedFile] = []
        let roles = read(RolesFile.name, limit: RolesFile.maximumSize, &damaged, RolesFile.decode)
        let highest = read(HighestFile.name, limit: HighestFile.maximumSize, &damaged, HighestFile.decode)
        let pins = read(PinsFile.name, limit: PinsFile.maximumSize, &damaged, PinsFile.decode)
        var records: [StoredRecord] = []
        for name in try directory.names() where name.hasSuffix(RecordFile.suffix) && !name.hasPrefix(".") {
            let record = read(name, limit: RecordFile.maximumSize, &damaged) { (bytes) throws(FormatError) in
                let record = try RecordFile.decode(bytes)
                try KeyringStore.check(record.identity, name: name, roles)
                return record
            }
            if let record { records.append(StoredRecord(file: name, record: record)) }
        }
        records.sort {
            let (a, b) = ($0.record.identity, $1.record.identity)
            if a.generation != b.generation { return a.generation < b.generation }
            return a.kekID.bytes.lexicographicallyPrecedes(b.kekID.bytes)
        }
        let localSeals = loadLocalSeals(&damaged)
        return StoredKeyring(
            directory: path, records: records, damaged: damaged, roles: roles, highest: highest,
            pins: pins, localSeals: localSeals)
    }

    private func loadLocalSeals(_ damaged: inout [DamagedFile]) -> [StoredLocalSeal] {
        var seals: [StoredLocalSeal] = []
        do throws(StoreError) {
            guard let local = try directory.subdirectory(LocalSealFile.directory, forWriting: false) else { return [] }
            for name in try local.names() where name.hasSuffix(LocalSealFile.suffix) && !name.hasPrefix(".") {
                let file = LocalSealFile.directory + "/" + name
                let seal = KeyringStore.read(local, name, as: file, limit: LocalSealFile.maximumSize, &damaged) {
                    (bytes) throws(FormatError) in
                    let seal = try LocalSealFile.decode(bytes)
                    guard try LocalSealFile.name(kekID: seal.kekID, recipient: seal.recipient) == name else {
                        throw FormatError(.conflict, "local seal", "of another KEK or recipient than its name says")
                    }
                    return seal
                }
                if let seal { seals.append(StoredLocalSeal(file: file, seal: seal)) }
            }
        } catch {
            damaged.append(DamagedFile(file: LocalSealFile.directory, reason: "\(error.reason); \(error.hint)"))
        }
        return seals
    }

    /// A record belongs where it is, and to the keyring of the others.
    private static func check(_ identity: Identity, name: String, _ roles: Roles?) throws(FormatError) {
        let wanted = RecordFile.name(identity)
        guard name == wanted else {
            throw FormatError(.conflict, "record", "it is another one than its name says; its own name is \(wanted)")
        }
        guard let roles, identity.keyring != roles.keyring else { return }
        throw FormatError(
            .conflict, "record", "of another keyring (\(identity.keyring.name)) than the roles; was init run twice?")
    }

    private func read<Value>(
        _ name: String, limit: Int, _ damaged: inout [DamagedFile],
        _ decode: ([UInt8]) throws(FormatError) -> Value
    ) -> Value? {
        KeyringStore.read(directory, name, as: name, limit: limit, &damaged, decode)
    }

    private static func read<Value>(
        _ directory: StoreDirectory, _ name: String, as file: String, limit: Int, _ damaged: inout [DamagedFile],
        _ decode: ([UInt8]) throws(FormatError) -> Value
    ) -> Value? {
        do throws(StoreError) {
            guard let bytes = try directory.read(name, limit: limit) else { return nil }
            do throws(FormatError) {
                return try decode(bytes)
            } catch {
                damaged.append(DamagedFile(file: file, reason: "\(error)"))
            }
        } catch {
            damaged.append(DamagedFile(file: file, reason: "\(error.reason); \(error.hint)"))
        }
        return nil
    }
}
