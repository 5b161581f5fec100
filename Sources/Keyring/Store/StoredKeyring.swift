/// A record and the file that holds it.
public struct StoredRecord: Sendable, Hashable {
    /// The file's name in the keyring's directory.
    public let file: String
    /// Its MAC is not checked: that takes the KEK.
    public let record: Record
}

/// A node-local seal and the file that holds it.
public struct StoredLocalSeal: Sendable, Hashable {
    /// The file's path from the keyring's directory on.
    public let file: String
    /// The seal.
    public let seal: Seal
}

/// A file that was left alone.
public struct DamagedFile: Sendable, Hashable {
    /// The file's path from the keyring's directory on.
    public let file: String
    /// What is wrong with it, lower case, without a final period.
    public let reason: String
}

/// Everything that the keyring's directory holds. No MAC has been checked yet.
public struct StoredKeyring: Sendable {
    /// The directory.
    public let directory: String
    /// In ascending order of generations, then kekIDs.
    public let records: [StoredRecord]
    /// What does not parse, does not fit, or is not safe; left alone.
    public let damaged: [DamagedFile]
    /// Nil when the file is missing or damaged.
    public let roles: Roles?
    /// The highest generation that was ever active here; nil when the file is missing or damaged.
    public let highest: UInt64?
    /// Nil when the file is missing or damaged: then no seal is made unasked.
    public let pins: Pins?
    /// In order of the file names.
    public let localSeals: [StoredLocalSeal]

    /// The record of a KEK.
    public func record(of kekID: KEKID) -> StoredRecord? {
        records.first { $0.record.identity.kekID == kekID }
    }

    /// The local seals of a KEK.
    public func localSeals(of kekID: KEKID) -> [Seal] {
        localSeals.map(\.seal).filter { $0.kekID == kekID }
    }

    /// What a start begins with: the roles, and the record of the active KEK.
    ///
    /// - Throws: `missing`, `damaged` when a file that it takes is not there or not right; `rollback` when the active
    ///   KEK's generation is lower than `highest`: encrypting under it would undo a rotation.
    public func requireActive() throws(StoreError) -> (roles: Roles, record: StoredRecord) {
        let roles = try requireRoles()
        guard let highest else {
            throw absent(
                HighestFile.name,
                hint: "if no later generation than \(roles.active.generation) was ever active here, write "
                    + "\"\(roles.active.generation)\" into it")
        }
        guard roles.active.generation >= highest else {
            throw StoreError(
                .rollback, path(RolesFile.name),
                "generation \(roles.active.generation) is to be active, but generation \(highest) was before",
                hint: "restore the files of generation \(highest); an older backup must not encrypt again")
        }
        let name = RecordFile.name(generation: roles.active.generation, roles.active.kekID)
        guard let record = record(of: roles.active.kekID), record.file == name else {
            throw absent(
                name, "not there, but named by \(path(RolesFile.name)) as the active KEK's", hint: StoredKeyring.backup)
        }
        return (roles, record)
    }

    /// The roles.
    ///
    /// - Throws: `missing`, `damaged`.
    public func requireRoles() throws(StoreError) -> Roles {
        if let roles { return roles }
        // An init that no backend let come to its end leaves a directory without a keyring.
        guard !records.isEmpty || !damaged.isEmpty || !localSeals.isEmpty || highest != nil else {
            throw StoreError(.missing, directory, "there is no keyring", hint: "run trousseau init")
        }
        throw absent(RolesFile.name, hint: StoredKeyring.backup)
    }

    private static let backup = "restore it from a backup of the whole directory"

    private func path(_ file: String) -> String { directory + "/" + file }

    private func absent(_ file: String, _ reason: String = "not there", hint: String) -> StoreError {
        guard let damage = damaged.first(where: { $0.file == file }) else {
            return StoreError(.missing, path(file), reason, hint: hint)
        }
        return StoreError(.damaged, path(file), damage.reason, hint: hint)
    }
}
