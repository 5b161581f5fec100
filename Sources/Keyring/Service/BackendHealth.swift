/// What the service knows of one backend beside how its calls went (`CallHistory`).
struct BackendHealth: Sendable {
    /// Its sealing key, once it has told it and as long as it has not been away.
    var recipients: [Recipient]?
    /// When it is asked for that again, if it did not tell.
    var askAt: ContinuousClock.Instant?
    /// Its recipients of this node, as above.
    var localRecipients: [Recipient]?
    /// Why its missing seal could not be made.
    var healingProblem: String?
    /// When its missing seal is to be made.
    var healAt: ContinuousClock.Instant?
}
