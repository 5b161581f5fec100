/// A backend's node-local seals of one KEK, as far as they were made.
struct LocalSealing: Sendable {
    /// One seal.
    struct Made: Sendable {
        let seal: Seal
        /// Why it did not open again; nil when it did.
        let problem: String?

        var isVerified: Bool { problem == nil }
    }

    /// In the backend's order.
    var made: [Made] = []
    /// Why not all of them were made.
    var error: SealingError?
}

extension SealingChain.Member {
    /// Which recipients' seals are to stay on this node.
    func localRecipients(until: ContinuousClock.Instant? = nil) async -> CallOutcome<[Recipient]> {
        await call("local recipients", until: until) { (backend, until) throws(SealingError) in
            try await backend.localRecipients(until: until)
        }
    }

    /// Seals a KEK to recipients of this node, and opens the seals again.
    ///
    /// A seal to a state that is still to come does not open yet. It is kept, unverified, beside one that has opened: if
    /// none has, nothing was made.
    ///
    /// - Parameters:
    ///   - isOpened: whether another seal of the KEK was opened by this backend in the same run.
    func makeLocalSeals(
        _ kek: KEK, to recipients: [Recipient], besideAnOpenedOne isOpened: Bool,
        until: ContinuousClock.Instant? = nil
    ) async -> LocalSealing {
        var result = LocalSealing()
        var refusal: SealingError?
        do throws(SealingError) {
            for recipient in recipients {
                let sealed = await sealUnverified(kek, to: recipient, until: until)
                let seal = try sealed.result.get()
                let opened = await verify(seal, is: kek, until: until)
                if let error = opened.error, error.errorClass != .permanent { throw error }
                refusal = refusal ?? opened.error
                result.made.append(LocalSealing.Made(seal: seal, problem: opened.error?.message))
            }
        } catch {
            result.error = error
        }
        guard isOpened || result.made.contains(where: \.isVerified) else {
            return LocalSealing(error: result.error ?? refusal)
        }
        return result
    }
}
