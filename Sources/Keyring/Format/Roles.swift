/// Which KEK of the keyring is active on this node and which is prepared; kept in the store, authenticated by the
/// active KEK.
public struct Roles: Sendable, Hashable {
    /// One KEK and its generation.
    public struct Entry: Sendable, Hashable {
        /// From 1.
        public let generation: UInt64
        /// The KEK's ID.
        public let kekID: KEKID

        /// The entry for a KEK's identity.
        public init(_ identity: Identity) {
            self.init(generation: identity.generation, kekID: identity.kekID)
        }

        init(generation: UInt64, kekID: KEKID) {
            self.generation = generation
            self.kekID = kekID
        }
    }

    /// The keyring.
    public let keyring: KeyringIdentity
    /// The KEK that encrypts.
    public let active: Entry
    /// The next KEK, if there is one.
    public let prepared: Entry?
    /// 32 bytes: HMAC-SHA256 under the active KEK's key "publication".
    public let mac: [UInt8]

    static let domain = Array("trousseau roles v1".utf8)

    /// Makes roles and their MAC.
    ///
    /// - Throws: `conflict` when the identities do not belong together or `kek` is not the active one's;
    ///   `cryptography`.
    public init(active: Identity, prepared: Identity?, under kek: KEK) throws(FormatError) {
        guard kek.matches(active.kekID) else {
            throw FormatError(.conflict, "roles", "the active KEK is another one")
        }
        if let prepared {
            guard prepared.keyring == active.keyring, prepared.generation > active.generation else {
                throw FormatError(.conflict, "roles", "the prepared KEK is not a later one of the same keyring")
            }
        }
        keyring = active.keyring
        self.active = Entry(active)
        self.prepared = prepared.map(Entry.init)
        do {
            mac = try kek.authenticate(Roles.parts(keyring, self.active, self.prepared), for: .publication)
        } catch {
            throw FormatError(error, "roles")
        }
    }

    /// Roles as they were read.
    init(keyring: KeyringIdentity, active: Entry, prepared: Entry?, mac: [UInt8]) {
        self.keyring = keyring
        self.active = active
        self.prepared = prepared
        self.mac = mac
    }

    /// Whether the active KEK made these roles. False when libcrypto fails.
    public func isAuthentic(under kek: KEK) -> Bool {
        kek.matches(active.kekID) && kek.verify(mac, of: Roles.parts(keyring, active, prepared), for: .publication)
    }

    /// Domain, keyring ID, name, then generation (8 bytes, big-endian) and kekID of the active and of the prepared KEK;
    /// the last two are empty when there is none.
    private static func parts(_ keyring: KeyringIdentity, _ active: Entry, _ prepared: Entry?) -> [[UInt8]] {
        [
            domain, keyring.keyringID, Array(keyring.name.utf8),
            LengthPrefixed.bigEndian(active.generation), active.kekID.bytes,
            prepared.map { LengthPrefixed.bigEndian($0.generation) } ?? [], prepared?.kekID.bytes ?? [],
        ]
    }
}
