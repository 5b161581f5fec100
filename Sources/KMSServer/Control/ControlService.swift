public import Keyring

/// What the control socket offers to the command line. The server calls it on threads of Swift's concurrency, never on
/// those that answer Encrypt and Decrypt.
public protocol ControlService: Sendable {
    /// The report that `trousseau status --output json` prints, by `until`: JSON in UTF-8.
    func report(until: ContinuousClock.Instant) async -> [UInt8]

    /// Makes and renews seals, and is back by `until`: the report that `trousseau reseal --output json` prints.
    func reseal(_ options: ResealOptions, until: ContinuousClock.Instant) async throws(KeyringError) -> [UInt8]

    /// Asks the process to end as SIGTERM does; returns at once.
    func requestStop()
}
