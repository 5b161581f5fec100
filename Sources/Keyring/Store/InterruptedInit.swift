/// What an `init` that was interrupted has left.
extension KeyringStore {
    /// Gives up what `create` began: afterwards there is no keyring here, and nothing of one.
    func abandonCreation() throws(StoreError) {
        try change { (directory) throws(StoreError) in
            guard try directory.contains(MarkerFile.name) else { return }
            try removeInterruptedInit()
            try directory.remove(MarkerFile.name)
        }
    }

    /// Removes it, if the mark is there and every record is the marked keyring's; nothing of it was ever used. Anything
    /// else is refused, whole.
    func removeInterruptedInit() throws(StoreError) {
        let names = try directory.names()
        let records = names.filter { $0.hasSuffix(RecordFile.suffix) }
        guard let mark = try directory.read(MarkerFile.name, limit: MarkerFile.maximumSize) else {
            guard records.isEmpty, !names.contains(RolesFile.name), !names.contains(HighestFile.name) else {
                throw StoreError(
                    .exists, path, "there is a keyring already",
                    hint: "name another keyring.directory, or move this one away if it is not needed any more")
            }
            return
        }
        let keyringID: [UInt8]
        do throws(FormatError) {
            keyringID = try MarkerFile.decode(mark)
        } catch {
            throw StoreError(
                .damaged, path + "/" + MarkerFile.name, "\(error)",
                hint: "remove it if there is no keyring, or if the keyring is complete")
        }
        for name in records {
            try checkIsMarked(name, limit: RecordFile.maximumSize, keyringID) { (bytes) throws(FormatError) in
                try RecordFile.decode(bytes).identity.keyring
            }
        }
        try checkIsMarked(RolesFile.name, limit: RolesFile.maximumSize, keyringID) { (bytes) throws(FormatError) in
            try RolesFile.decode(bytes).keyring
        }
        if let local = try directory.subdirectory(LocalSealFile.directory, forWriting: true) {
            for name in try local.names() where name.hasSuffix(LocalSealFile.suffix) { try local.remove(name) }
            try local.removeTemporaryFiles()
        }
        for name in [RolesFile.name, HighestFile.name, PinsFile.name] + records { try directory.remove(name) }
    }

    private func checkIsMarked(
        _ name: String, limit: Int, _ keyringID: [UInt8],
        _ keyring: ([UInt8]) throws(FormatError) -> KeyringIdentity
    ) throws(StoreError) {
        guard let bytes = try directory.read(name, limit: limit) else { return }
        var reason = "of another keyring than the interrupted init"
        do throws(FormatError) {
            if try keyring(bytes).keyringID == keyringID { return }
        } catch {
            reason = "\(error)"
        }
        throw StoreError(
            .exists, path + "/" + name, reason,
            hint: "this may be a keyring in use: look at it, then remove \(MarkerFile.name) or the file")
    }
}
