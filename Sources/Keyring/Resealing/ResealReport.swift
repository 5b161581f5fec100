/// What `trousseau reseal` did.
public struct ResealReport: Sendable {
    /// One KEK and one recipient or backend.
    public struct Row: Sendable, Hashable {
        /// What was done.
        public enum Outcome: String, Sendable, CaseIterable {
            /// A seal that was missing is there.
            case added
            /// A seal was replaced by a new one.
            case renewed
            /// The seal that was there is as it was.
            case kept
            /// The recipient was removed.
            case dropped
            /// What should have been done was not; what was there is as it was.
            case failed
        }

        /// The KEK's, from 1.
        public var generation: UInt64
        /// The KEK's public name.
        public var kekID: KEKID
        /// The configuration's name; nil when no backend of this node has the sealing key.
        public var backend: String?
        /// "pkcs11", "tpm", "vault", "recovery", or a kind that this version does not know; empty when no backend was
        /// asked.
        public var kind: String
        /// Nil when the backend did not tell its sealing key.
        public var recipientID: String?
        /// Whether the seal lies in `local/` and is of use on this node only.
        public var isLocal = false
        /// What was done.
        public var outcome: Outcome
        /// Whether the seal that is there now was opened and compared in this run.
        public var isVerified: Bool
        /// Why it failed, or was kept.
        public var note: String?
        /// What to do about that.
        public var hint: String?
    }

    /// The key_id before; nil when nothing was published.
    public internal(set) var oldKeyID: String?
    /// The key_id now.
    public internal(set) var keyID: String?
    /// By generation, then in the order of the backends.
    public internal(set) var rows: [Row]
    /// The backends of the process that did it, in order, and whether each only unseals.
    public let backends: [(name: String, unsealOnly: Bool)]

    /// The states that are to come to which was sealed besides.
    public let expecting: [String]

    /// Whether everything that should have been done was.
    public var isComplete: Bool { !rows.contains { $0.outcome == .failed } }
}
