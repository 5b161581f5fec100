/// How long to wait after the n-th failure in a row: 1, 2, 4 … s, each with jitter, so that the nodes that share an HSM
/// do not come back at the same moment.
enum Backoff {
    /// The first wait.
    static let shortest = Duration.seconds(1)
    /// For a device that wants to be left alone: busy, rate limit, deadline.
    static let longest = Duration.seconds(30)
    /// For a device that is away or wants its operator, if its backend paces itself: it should serve soon after it is
    /// back.
    static let longestPoll = Duration.seconds(5)

    /// - Parameters:
    ///   - failures: from 1.
    ///   - pacesItself: `SealingBackend.pacesItself`.
    ///   - factor: the jitter, around 1.
    static func delay(
        after failures: Int, _ errorClass: SealingError.Class, pacesItself: Bool = true, factor: Double
    ) -> Duration {
        let limit =
            switch errorClass {
            case .retry, .permanent: longest
            case .reopen, .operatorMustAct: pacesItself ? longestPoll : longest
            }
        let doublings = min(max(failures, 1) - 1, 8)
        return min(shortest * (1 << doublings), limit) * factor
    }
}
