/// One backend, for `status`.
public struct BackendReport: Sendable, Hashable {
    /// How it did when it was asked last.
    public enum State: String, Sendable, CaseIterable {
        /// It answered.
        case ok
        /// It did not, and is asked again only after a while: its circuit breaker is open.
        case failing
        /// It has not been asked yet.
        case unknown
    }

    /// The configuration's name for it.
    public var name: String
    /// "pkcs11", "tpm", "vault", "recovery".
    public var kind: String
    /// Whether it only opens what it once sealed.
    public var unsealOnly: Bool
    /// How it did when it was asked last.
    public var state: State
    /// When it is asked next, whoever wants it; nil unless it fails.
    public var nextTry: Duration?
    /// Whether a call finds out at this moment how a failing backend does.
    public var isBeingTried = false
    /// How often it was asked since the start.
    public var calls: UInt64 = 0
    /// How often it was spared since the start because it had failed only now.
    public var sparedCalls: UInt64 = 0
    /// How long ago it answered last.
    public var lastSuccess: Duration?
    /// How long its last answer took.
    public var lastLatency: Duration?
    /// Why it failed last; kept after it has recovered.
    public var lastError: String?
    /// What to do about that.
    public var lastErrorHint: String?
    /// What kind of failure that was.
    public var lastErrorClass: SealingError.Class?
    /// How long ago that was.
    public var lastErrorAge: Duration?
    /// How often it has failed since the start, by class; classes that did not occur are left out.
    public var failures: [SealingError.Class: UInt64] = [:]
    /// How many answers came in its device's name, since the start, that the device cannot have made; nil for backends
    /// that cannot tell.
    public var alarms: UInt64?

    /// A report.
    public init(name: String, kind: String, unsealOnly: Bool, state: State) {
        self.name = name
        self.kind = kind
        self.unsealOnly = unsealOnly
        self.state = state
    }
}
