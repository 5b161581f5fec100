/// One KEK's seal to one recipient, for `status`.
public struct SealReport: Sendable, Hashable {
    /// What is known of it.
    public enum State: String, Sendable, CaseIterable {
        /// This process opened it and compared what came out.
        case verified
        /// A backend of this node has it, but has not opened it in this process, or opens nothing (a recovery key).
        case unverified
        /// A backend of this node is to have one and has none yet.
        case missing
        /// The recipient was removed.
        case tombstone
        /// No backend of this node has the sealing key.
        case otherNode
    }

    /// The recipient's ID; nil for a missing seal whose backend has not yet told its recipient.
    public var recipientID: String?
    /// "pkcs11", "tpm", "vault", "recovery", or a kind that this version does not know.
    public var kind: String
    /// The name of the backend that opens it here; nil when there is none.
    public var backend: String?
    /// Whether it lies in `local/` and is of use on this node only.
    public var isLocal: Bool
    /// What is known of it.
    public var state: State
    /// How long ago it was verified, by a monotonic clock; nil unless it is.
    public var age: Duration?
    /// The backend that verified it then.
    public var verifiedBy: String?
    /// Why `reseal` would put another one in its place, or remove it: it was made under another policy, say. Nil when it
    /// would not.
    public var outdated: String?
    /// Why it is missing, or did not open when it was tried last.
    public var problem: String?

    /// A report.
    public init(
        recipientID: String?, kind: String, backend: String?, isLocal: Bool = false, state: State,
        age: Duration? = nil, verifiedBy: String? = nil, outdated: String? = nil, problem: String? = nil
    ) {
        self.recipientID = recipientID
        self.kind = kind
        self.backend = backend
        self.isLocal = isLocal
        self.state = state
        self.age = age
        self.verifiedBy = verifiedBy
        self.outdated = outdated
        self.problem = problem
    }
}

extension SealReport {
    /// Of a node-local seal that was made in this process.
    init(_ made: LocalSealing.Made, kind: String, backend: String) {
        self.init(
            recipientID: made.seal.recipient.id, kind: kind, backend: backend, isLocal: true,
            state: made.isVerified ? .verified : .unverified, age: made.isVerified ? .zero : nil,
            verifiedBy: made.isVerified ? backend : nil, problem: made.problem)
    }
}
