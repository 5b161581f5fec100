internal import Crypto
internal import Glibc

/// `trousseau init`: a keyring and its first KEK, sealed to every backend that seals.
public enum KeyringCreation {
    /// What was made.
    public struct Created: Sendable {
        /// The keyring.
        public let keyring: KeyringIdentity
        /// For safekeeping: `recover` asks for it.
        public let keyID: KeyID
        /// The first KEK's public name.
        public let kekID: KEKID
        /// In the order of the configuration, those of this node after those of the record; backends that did not seal are `missing`.
        public let seals: [SealReport]
        /// Whether one of the seals can only have been made with its sealing key. If not, a start needs the operator's
        /// word that this is the KEK (`keyring.trustedKeyIDs`).
        public let isAuthenticated: Bool
    }

    /// Makes the keyring.
    ///
    /// Every seal is opened again and compared with the KEK before it counts, but for those to a recovery key. The backends work at the same time; one
    /// that does not answer costs its deadlines and nothing more. When it throws, nothing is left that a second call would
    /// stumble over, but for sealing keys that were made.
    ///
    /// - Parameters:
    ///   - directory: made with its parents.
    ///   - name: as RFC 1123 has labels.
    ///   - minimumSeals: how many backends have to have made a verified seal; nil for all that are not `unsealOnly` to
    ///     have sealed.
    ///   - generateMissingKeys: make sealing keys that do not exist yet.
    /// - Throws: `store` (also `exists`, `locked`), `name`, `tooFewSeals`, `format`, `cryptography`.
    public static func run(
        directory: String, name: String, chain: SealingChain, minimumSeals: Int?, generateMissingKeys: Bool, log: Log
    ) async throws(KeyringError) -> Created {
        let keyring: KeyringIdentity
        let kek: KEK
        do {
            keyring = try KeyringIdentity(keyringID: Random.bytes(KeyringIdentity.idSize), name: name)
            kek = try KEK.generate()
        } catch let error as FormatError {
            throw KeyringError(.name, "\(error)", cause: error)
        } catch {
            throw KeyringError(.cryptography, "\(error)", cause: error)
        }
        // First of all, since it refuses an existing keyring and a second init.
        let store = try creating { () throws(StoreError) in try KeyringStore.create(directory, keyring: keyring) }
        do throws(KeyringError) {
            let outcomes = await InitialSealing.run(kek, chain, generateMissingKeys: generateMissingKeys)
            try InitialSealing.check(outcomes, minimumSeals, log)
            return try write(kek, keyring, outcomes, chain, store)
        } catch {
            do throws(StoreError) {
                try store.abandonCreation()
            } catch {
                log(.warning, "what init began could not be removed; the next init does it", ("reason", "\(error)"))
            }
            throw error
        }
    }

    private static func write(
        _ kek: KEK, _ keyring: KeyringIdentity, _ outcomes: [InitialSealing.Outcome], _ chain: SealingChain,
        _ store: KeyringStore
    ) throws(KeyringError) -> Created {
        let record: Record
        let roles: Roles
        let publication: Publication
        let pins: Pins
        do throws(FormatError) {
            record = try Record.make(
                kek: kek, keyring: keyring, generation: 1, created: UInt64(clamping: time(nil)), voucherFloor: 0,
                seals: outcomes.flatMap(\.seals))
            roles = try Roles(active: record.identity, prepared: nil, under: kek)
            publication = try Publication(active: record, prepared: nil, under: kek)
            pins = try Pins(record.identity, InitialSealing.pins(outcomes), under: kek)
        } catch {
            throw KeyringError(error)
        }
        try creating { () throws(StoreError) in
            try store.writeRecord(record)
            for made in outcomes.flatMap(\.local) { try store.writeLocalSeal(made.seal) }
            try store.writePins(pins)
            try store.writeRoles(roles)
            try store.finishCreation()
        }
        return Created(
            keyring: keyring, keyID: publication.keyID(), kekID: kek.id, seals: outcomes.flatMap(\.reports),
            isAuthenticated: chain.candidates(
                local: outcomes.flatMap { $0.local.filter(\.isVerified).map(\.seal) }, shared: record.liveSeals
            ).contains(where: \.isAuthenticated))
    }

    private static func creating<R>(_ body: () throws(StoreError) -> R) throws(KeyringError) -> R {
        do throws(StoreError) {
            return try body()
        } catch {
            throw KeyringError(error)
        }
    }
}
