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
    /// Before a seal is tried again that was refused for good, the first time and at most: what made the device refuse it
    /// may change without anybody saying so here (a policy's signature, a key that was put back), but seldom does.
    static let refusal = (shortest: Duration.seconds(300), longest: Duration.seconds(1800))

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
        return doubled(shortest, failures, limit) * factor
    }

    /// How long a seal stays refused after the n-th refusal in a row.
    static func refusal(after refusals: Int, factor: Double) -> Duration {
        doubled(refusal.shortest, refusals, refusal.longest) * factor
    }

    private static func doubled(_ first: Duration, _ times: Int, _ limit: Duration) -> Duration {
        min(first * (1 << min(max(times, 1) - 1, 8)), limit)
    }
}
