/// What became of one KEK of a recovery.
public struct RecoveredKEK: Sendable {
    /// How it ended.
    public enum Outcome: String, Sendable, CaseIterable {
        /// It is in the new keyring, and decrypts.
        case recovered
        /// Nothing at hand opens its seals.
        case notOpened
        /// It opened, but its record's MAC is not its own.
        case altered
        /// It opened, but nobody who is believed vouches for it: anyone could have made it.
        case notTrusted
    }

    /// From 1.
    public let generation: UInt64
    /// The KEK's public name.
    public let kekID: KEKID
    /// The files that hold its record.
    public let files: [String]
    /// How it ended.
    public var outcome: Outcome
    /// What opened it.
    public var openedBy: String?
    /// Why it was not recovered.
    public var reason: String?
    /// The seals to this node's backends.
    public var seals: [SealReport] = []
}

/// What a recovery has made.
public struct RecoveredKeyring: Sendable {
    /// The keyring, the same as it was.
    public let keyring: KeyringIdentity
    /// Of the new active KEK; for safekeeping.
    public let keyID: KeyID
    /// The new active KEK.
    public let kekID: KEKID
    /// Of the new active KEK, above every one that was seen.
    public let generation: UInt64
    /// Of the new active KEK.
    public let seals: [SealReport]
    /// The KEKs that were found, in ascending order of generations.
    public let keks: [RecoveredKEK]
    /// Files that were not used, and why: damaged, or of another keyring.
    public let unused: [DamagedFile]
}
