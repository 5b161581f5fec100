public import Keyring

extension TPMBackend {
    /// Whether the TPM's present state would let seals to these recipients open, one line for each that is this TPM's and
    /// has a policy: `sha256:7+11: satisfied now`, or what differs. Opens nothing. One command for each eight PCRs.
    public func policyFindings(of recipients: [Recipient], until: ContinuousClock.Instant) async -> [Finding] {
        let (device, policy) = (device, configuration.policy)
        var findings: [Finding] = []
        for recipient in recipients where serves(recipient) {
            do throws(SealingError) {
                let state: String? = try await call(until) { () throws(TPMError) in
                    let description = try RecipientDescription.of(recipient)
                    guard !description.policyDigest.isEmpty else { return nil }
                    let requirement = try policy.requirement(description.policy)
                    return try device.run { (context) throws(TPMError) in try requirement.state(context) }
                }
                if let state { findings.append(Finding(.ok, "seal to \(recipient.id)", state)) }
            } catch {
                findings.append(Finding(.warning, "seal to \(recipient.id)", error.message, hint: error.hint))
            }
        }
        return findings
    }

    /// This node's own recipients for states that are to come, for seals beside those of the present state: what
    /// `trousseau reseal --pcrs` seals to before an update.
    ///
    /// - Parameter pcrs: one text for each state, as `LiteralPolicy` takes them.
    /// - Throws: `configuration`, `notEnrolled`.
    public func localRecipients(
        expecting pcrs: [String], until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        let policy: LiteralPolicy
        do throws(TPMError) { policy = try LiteralPolicy(pcrs: pcrs) } catch { throw error.sealingError }
        return try await localRecipients(by: .literal(policy), until: until)
    }
}
