/// What the policy of one of the active KEK's seals asks of the machine's state, and whether that is so now; for `status`.
public struct PolicyReport: Sendable, Hashable {
    /// How a policy says what it wants.
    public enum Kind: String, Sendable, CaseIterable {
        /// Nothing is asked: the seal opens whatever was booted.
        case none
        /// Values that a key has signed.
        case signed
        /// Given values.
        case literal
        /// Something that this version does not know.
        case unknown
    }

    /// The configuration's name of the backend.
    public var backend: String
    /// Of the seal.
    public var recipientID: String
    /// Whether the seal lies in `local/`.
    public var isLocal: Bool
    /// How the policy says what it wants.
    public var kind: Kind
    /// The bank of the registers; nil without a policy.
    public var bank: String?
    /// The registers, in ascending order.
    public var pcrs: [Int]
    /// Whether the seal would open in the present state, as far as the policy is concerned; nil when that is not known.
    public var isSatisfied: Bool?
    /// Those of the registers that have another value, where that can be told.
    public var differing: [Int]
    /// Why it is not satisfied, or not known.
    public var problem: String?
    /// What to do about that.
    public var hint: String?

    /// A report that does not know the present state.
    public init(
        backend: String, recipientID: String, isLocal: Bool, kind: Kind, bank: String? = nil, pcrs: [Int] = []
    ) {
        self.backend = backend
        self.recipientID = recipientID
        self.isLocal = isLocal
        self.kind = kind
        self.bank = bank
        self.pcrs = pcrs
        isSatisfied = kind == .none ? true : nil
        differing = []
    }
}
