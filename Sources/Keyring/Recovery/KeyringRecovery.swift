internal import Crypto
internal import Glibc

/// `trousseau recover`: a keyring made anew from record files. What was found only decrypts; a fresh KEK encrypts.
public enum KeyringRecovery {
    /// Makes the keyring.
    ///
    /// The KEKs are opened by the offline key, or by any backend that still can. They get seals to the configured
    /// backends, and keep those that they have. The fresh active KEK has a generation above every one that was seen and
    /// the vouchers of the recovered ones, so that nodes that still run follow it.
    ///
    /// When it throws, no keyring is left, but for sealing keys that were made. What was found is never changed.
    ///
    /// - Parameters:
    ///   - found: the record files.
    ///   - directory: of the new keyring, made with its parents; an existing keyring is refused.
    ///   - name: of the keyring, as configured.
    ///   - keyIDs: what the operator kept, at least one; says which KEK is to be believed.
    ///   - chain: the configured backends.
    ///   - offlineKey: opens seals, and has no part in the new keyring; nil when there is none.
    ///   - minimumSeals: as for `KeyringCreation`.
    ///   - generateMissingKeys: make sealing keys that do not exist yet.
    /// - Throws: `store` (also `exists`), `name`, `recovery`, `tooFewSeals`, `format`, `cryptography`.
    public static func run(
        _ found: FoundRecords, directory: String, name: String, keyIDs: [KeyID], chain: SealingChain,
        offlineKey: (any SealingBackend)?, minimumSeals: Int?, generateMissingKeys: Bool, log: Log
    ) async throws(KeyringError) -> RecoveredKeyring {
        let selection = try RecoverySelection(found, name: name, keyIDs: keyIDs)
        // First of all, since it refuses an existing keyring.
        let store = try storing { () throws(StoreError) in
            try KeyringStore.create(directory, keyring: selection.keyring)
        }
        do throws(KeyringError) {
            // The offline key first: it is there, and asking for a lost device takes its deadline each time.
            let offline = offlineKey.map { SealingChain.Member($0, unsealOnly: true, deadline: .seconds(10)) }
            let openers = SealingChain([offline].compactMap(\.self) + chain.members, log: log)
            let opening = await RecoveryOpening.run(
                selection, openers, localSeals: found.localSeals, keyIDs: keyIDs)
            let believed = try check(opening, keyIDs)
            let generation = try selection.nextGeneration(above: believed, found)
            let kek = try newKEK()
            let outcomes = await InitialSealing.run(kek, chain, generateMissingKeys: generateMissingKeys)
            try InitialSealing.check(outcomes, minimumSeals, log)
            var result = opening
            for index in result.kept.indices {
                let kekID = result.kept[index].trusted.identity.kekID
                let (record, local, reports) = try await RecoverySealing.run(
                    result.kept[index], chain, outcomes, local: found.localSeals.filter { $0.kekID == kekID })
                result.kept[index].record = record
                result.kept[index].local = local
                for report in result.reports.indices where result.reports[report].kekID == kekID {
                    result.reports[report].seals = reports
                }
            }
            return try write(kek, generation, result, outcomes, selection, found, chain, store)
        } catch {
            do throws(StoreError) {
                try store.abandonCreation()
            } catch {
                log(.warning, "what recover began could not be removed; the next one does it", ("reason", "\(error)"))
            }
            throw error
        }
    }

    /// - Returns: the highest generation that is believed.
    /// - Throws: `recovery` when a KEK that a key_id names was not recovered.
    private static func check(_ opening: RecoveryOpening, _ keyIDs: [KeyID]) throws(KeyringError) -> UInt64 {
        for keyID in keyIDs {
            let isKept = opening.kept.contains { keyID.names($0.trusted.identity) }
            guard !isKept else { continue }
            let report = opening.reports.first { $0.generation == keyID.generation && "\($0.kekID)" == keyID.kek }
            throw KeyringError(
                .recovery, "the KEK of key_id \(keyID) is not recovered: \(report?.reason ?? "it is not there")",
                hint: "bring the private key of one of its recipients, or a backend that has one")
        }
        return opening.kept.map(\.trusted.identity.generation).max() ?? 0
    }

    private static func newKEK() throws(KeyringError) -> KEK {
        do throws(CryptoError) { return try KEK.generate() } catch { throw KeyringError(error) }
    }

    private static func write(
        _ kek: KEK, _ generation: UInt64, _ opening: RecoveryOpening, _ outcomes: [InitialSealing.Outcome],
        _ selection: RecoverySelection, _ found: FoundRecords, _ chain: SealingChain, _ store: KeyringStore
    ) throws(KeyringError) -> RecoveredKeyring {
        let record: Record
        let roles: Roles
        let publication: Publication
        let pins: Pins
        do throws(FormatError) {
            record = try activeRecord(kek, generation, opening, outcomes, selection.keyring)
            roles = try Roles(active: record.identity, prepared: nil, under: kek)
            publication = try Publication(active: record, prepared: nil, under: kek)
            pins = try Pins(record.identity, InitialSealing.pins(outcomes), under: kek)
        } catch {
            throw KeyringError(error)
        }
        let recovered = Set(opening.kept.map(\.trusted.identity.kekID))
        let local = found.localSeals.filter { seal in
            recovered.contains(seal.kekID) && chain.members.contains { $0.backend.serves(seal.recipient) }
        }
        try storing { () throws(StoreError) in
            for kept in opening.kept { try store.writeRecord(kept.record) }
            let made = opening.kept.flatMap(\.local) + outcomes.flatMap { $0.local.map(\.seal) }
            for seal in local + made { try store.writeLocalSeal(seal) }
            try store.writeRecord(record)
            try store.writePins(pins)
            try store.writeRoles(roles)
            try store.finishCreation()
        }
        return RecoveredKeyring(
            keyring: selection.keyring, keyID: publication.keyID(), kekID: kek.id, generation: generation,
            seals: outcomes.flatMap(\.reports), keks: opening.reports, unused: selection.unused)
    }

    /// With the vouchers of the latest recovered KEKs. Its voucher floor is the highest that was: who was removed stays so.
    private static func activeRecord(
        _ kek: KEK, _ generation: UInt64, _ opening: RecoveryOpening, _ outcomes: [InitialSealing.Outcome],
        _ keyring: KeyringIdentity
    ) throws(FormatError) -> Record {
        let identities = opening.kept.map(\.trusted.identity)
        let floor = identities.map(\.voucherFloor).max() ?? 0
        let vouching = opening.kept.filter { $0.trusted.identity.generation >= floor }.suffix(Record.maximumVouchers)
        return try Record.make(
            kek: kek, keyring: keyring, generation: generation, created: UInt64(clamping: time(nil)),
            voucherFloor: floor, seals: outcomes.flatMap(\.seals),
            vouchedBy: vouching.map { ($0.trusted.kek, $0.trusted.identity.generation) })
    }

    private static func storing<R>(_ body: () throws(StoreError) -> R) throws(KeyringError) -> R {
        do throws(StoreError) { return try body() } catch { throw KeyringError(error) }
    }
}
