/// One KEK, for `status`.
public struct KEKReport: Sendable, Hashable {
    /// What the KEK is for.
    public enum Role: String, Sendable, CaseIterable {
        /// It encrypts.
        case active
        /// It is the next one.
        case prepared
        /// An earlier one.
        case decryptsOnly
    }

    /// From 1.
    public var generation: UInt64
    /// The KEK's public name.
    public var kekID: KEKID
    /// What it is for, on this node.
    public var role: Role
    /// Seconds since 1970-01-01T00:00:00Z, as its maker's clock said.
    public var created: UInt64
    /// The record's file in the keyring's directory.
    public var file: String
    /// Whether it is in memory.
    public var isOpen: Bool
    /// The backend that opened it in this process.
    public var openedBy: String?
    /// How long that call took.
    public var openingTook: Duration?
    /// Why it is not open.
    public var problem: String?
    /// What to do about it.
    public var hint: String?
    /// Local seals first, then the record's, then those that are missing.
    public var seals: [SealReport]

    /// A report.
    public init(
        generation: UInt64, kekID: KEKID, role: Role, created: UInt64, file: String, isOpen: Bool = false,
        openedBy: String? = nil, openingTook: Duration? = nil, problem: String? = nil, hint: String? = nil,
        seals: [SealReport] = []
    ) {
        self.generation = generation
        self.kekID = kekID
        self.role = role
        self.created = created
        self.file = file
        self.isOpen = isOpen
        self.openedBy = openedBy
        self.openingTook = openingTook
        self.problem = problem
        self.hint = hint
        self.seals = seals
    }
}
