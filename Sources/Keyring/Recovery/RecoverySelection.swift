/// The records of the one keyring that the operator's key_ids name.
struct RecoverySelection: Sendable {
    /// The versions of one KEK's record.
    struct Group: Sendable {
        let generation: UInt64
        let kekID: KEKID
        let versions: [FoundRecords.Found]

        /// Of all versions, each once.
        var seals: [Seal] {
            var known: Set<Seal> = []
            return versions.flatMap(\.record.liveSeals).filter { known.insert($0).inserted }
        }
    }

    let keyring: KeyringIdentity
    /// In ascending order of generations.
    let groups: [Group]
    /// Damaged files, and records of other keyrings.
    let unused: [DamagedFile]

    /// - Throws: `name` when a key_id names no record, or another keyring than `name`.
    init(_ found: FoundRecords, name: String, keyIDs: [KeyID]) throws(KeyringError) {
        var keyrings: Set<KeyringIdentity> = []
        for keyID in keyIDs {
            guard keyID.name == name else {
                throw KeyringError(
                    .name, "the key_id \(keyID) is of keyring \"\(keyID.name)\", not \"\(name)\"",
                    hint: "set keyring.name to \"\(keyID.name)\", or give the key_id of this keyring")
            }
            let named = found.records.filter { keyID.names($0.record.identity) }
            guard !named.isEmpty else {
                let there = Set(
                    found.records.map(\.record.identity).map { "\($0.keyring.name)/\($0.generation)/\($0.kekID)" }
                ).sorted()
                throw KeyringError(
                    .name, "no record is that of key_id \(keyID)",
                    hint: "these are there: \(there.joined(separator: ", ")); one of them is right only if it is what "
                        + "init, rotate or recover printed")
            }
            keyrings.formUnion(named.map(\.record.identity.keyring))
        }
        guard let keyring = keyrings.first, keyrings.count == 1 else {
            throw KeyringError(
                .name, keyIDs.isEmpty ? "no key_id was given" : "the key_ids are those of different keyrings",
                hint: "give the key_id that init, rotate or recover printed")
        }
        self.keyring = keyring
        unused =
            found.damaged
            + found.records.filter { $0.record.identity.keyring != keyring }.map {
                DamagedFile(file: $0.file, reason: "of another keyring, \($0.record.identity.keyring.name)")
            }
        let own = found.records.filter { $0.record.identity.keyring == keyring }
        groups = Dictionary(grouping: own, by: \.record.identity.kekID).compactMap { kekID, versions in
            versions.map(\.record.identity.generation).max().map {
                Group(generation: $0, kekID: kekID, versions: versions)
            }
        }.sorted {
            if $0.generation != $1.generation { return $0.generation < $1.generation }
            return $0.kekID.bytes.lexicographicallyPrecedes($1.kekID.bytes)
        }
    }

    /// The generation of a KEK above every one that was seen.
    ///
    /// - Parameter believed: the highest generation of a KEK that is believed.
    /// - Throws: `store` when something claims a generation so high that other nodes would not follow.
    func nextGeneration(above believed: UInt64, _ found: FoundRecords) throws(KeyringError) -> UInt64 {
        var claims = groups.flatMap { group in group.versions.map { ($0.file, $0.record.identity.generation) } }
        if let highest = found.highest { claims.append((highest.file, highest.generation)) }
        let highest = claims.max { $0.1 < $1.1 }?.1 ?? believed
        // The new one has to be within reach of nodes whose active KEK is the believed one.
        let (limit, overflow) = believed.addingReportingOverflow(AdoptionRules.maximumGenerationStep)
        if let claim = claims.first(where: { $0.1 == highest }), overflow || highest >= limit {
            throw KeyringError(
                .store, "\(claim.0): claims generation \(claim.1), the highest one that is believed is \(believed)",
                hint: "find out where the file comes from; leave it out if it is not this keyring's")
        }
        return max(highest, believed) + 1
    }
}
