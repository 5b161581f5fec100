/// The code for one kind of recipient. To add a backend, implement this protocol in a module of its own and compose it
/// in Plugin; `BackendContract` in Tests is the suite it has to pass.
///
/// Every function may be called from any task, at the same time as any other. Blocking C calls run on a thread of the
/// backend's own; no function returns later than `until` by more than the time it takes to say so, whatever its device
/// does.
public protocol SealingBackend: Sendable {
    /// The name that the configuration gives to this backend.
    var name: String { get }
    /// "pkcs11", "tpm", "vault", "recovery".
    var kind: String { get }
    /// Whether this backend can open its seals at all. A recovery key's cannot: its private half is kept elsewhere. Its
    /// seals stay unverified and no start waits for it. True unless a backend says otherwise.
    var canUnseal: Bool { get }

    /// Whether asking costs its device nothing while that is away or wants its operator, because the backend looks at files
    /// and at the clock first. Such a one is asked every few seconds, so that it serves soon after it is back. True unless
    /// a backend says otherwise.
    var pacesItself: Bool { get }

    /// Whether a recipient describes more than its key, a policy say, so that a seal may be outdated although the key is
    /// the same. The keyring then asks for the recipients after its start. True unless a backend says otherwise.
    var describesMoreThanKeys: Bool { get }

    /// The recipients that this backend can seal to, with their keys checked.
    ///
    /// With `generateMissingKey` a sealing key that does not exist is made; an existing one is never touched.
    func recipients(generateMissingKey: Bool, until: ContinuousClock.Instant) async throws(SealingError) -> [Recipient]

    /// The recipients whose seals stay on this node, in `local/`, in order of preference; they are of no use elsewhere, and
    /// never in a record. These and `recipients` are what the backend wants a KEK to be sealed to. Some of them may be
    /// such that their seals do not open now but later, after a change that was foretold. None unless a backend says
    /// otherwise.
    func localRecipients(until: ContinuousClock.Instant) async throws(SealingError) -> [Recipient]

    /// Whether this backend holds the recipient's sealing key, as far as can be told without its device.
    func serves(_ recipient: Recipient) -> Bool

    /// Whether only someone with the sealing key itself could have made the seal (HSM AES, Vault, an object that this
    /// TPM created), unlike one made with a public key.
    func isAuthenticated(_ seal: Seal) -> Bool

    /// Seals the KEK, bound to its kekID.
    func seal(_ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant) async throws(SealingError) -> Seal

    /// Opens a seal. The caller compares the KEK's ID with the one it expects.
    func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK

    /// Whether its sealing keys get new versions, to which a seal can be moved (`refreshed`). False unless a backend says
    /// otherwise.
    var hasKeyVersions: Bool { get }

    /// The same KEK sealed under the newest version of the seal's key, when an older version made the seal; nil when it is
    /// up to date. To the same recipient. The caller opens the new seal before it replaces anything. Asked only where
    /// keys have versions.
    func refreshed(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> Seal?

    /// Unseals a canary made for the purpose, reopening the device if need be. Never tries a refused PIN again.
    func probe(until: ContinuousClock.Instant) async throws(SealingError)

    /// Everything that `trousseau doctor` can check about this backend. Does not change anything.
    func diagnose(until: ContinuousClock.Instant) async -> [Finding]

    /// Ends sessions and releases the device; calls in flight end first. Nothing is called afterwards.
    func shutdown(until: ContinuousClock.Instant) async
}

extension SealingBackend {
    /// True.
    public var canUnseal: Bool { true }
    /// True.
    public var pacesItself: Bool { true }
    /// True.
    public var describesMoreThanKeys: Bool { true }
    /// None.
    public func localRecipients(until: ContinuousClock.Instant) async throws(SealingError) -> [Recipient] { [] }
    /// False.
    public var hasKeyVersions: Bool { false }
    /// Nil.
    public func refreshed(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> Seal? { nil }
}

/// One line of `trousseau doctor`.
public struct Finding: Sendable, Codable, Hashable {
    /// How bad it is.
    public enum Severity: String, Sendable, Codable { case ok, warning, error }

    /// How bad it is.
    public let severity: Severity
    /// What was checked: `token "trousseau"`.
    public let subject: String
    /// What was found.
    public let detail: String
    /// How to mend it.
    public let hint: String?

    /// A finding.
    public init(_ severity: Severity, _ subject: String, _ detail: String, hint: String? = nil) {
        self.severity = severity
        self.subject = subject
        self.detail = detail
        self.hint = hint
    }
}
