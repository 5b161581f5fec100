/// What the service knows of one backend beside how its calls went (`CallHistory`).
struct BackendHealth: Sendable {
    /// Its sealing key, once it has told it.
    var recipients: [Recipient]?
    /// Its recipients of this node, once it has told them and as long as it has not been away.
    var localRecipients: [Recipient]?
    /// Why its missing seal could not be made.
    var healingProblem: String?
    /// When its missing seal is to be made.
    var healAt: ContinuousClock.Instant?
}
