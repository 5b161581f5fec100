extension SealingChain.Member {
    /// Moves a seal to the newest version of its sealing key, opens the new seal and compares: only then it counts.
    ///
    /// What is refused (a right that is missing, say) says nothing about the seal that is there, nor about the backend's
    /// health: it is of the class `permanent`.
    ///
    /// - Returns: nil when it is up to date.
    func refresh(_ seal: Seal, of kek: KEK, until: ContinuousClock.Instant? = nil) async -> CallOutcome<Seal?> {
        guard backend.hasKeyVersions else { return CallOutcome(result: .success(nil), latency: .zero, wasAsked: false) }
        let moved = await call("refresh \(kek.id)", until: until) { (backend, until) throws(SealingError) in
            let moved: Seal?
            do throws(SealingError) {
                moved = try await backend.refreshed(seal, until: until)
            } catch {
                guard error.errorClass == .operatorMustAct else { throw error }
                throw SealingError(.permanent, error.message, hint: error.hint, cause: error.cause)
            }
            guard let moved else { return nil as Seal? }
            guard moved.recipient == seal.recipient, moved.kekID == seal.kekID, moved.bytes != seal.bytes else {
                throw SealingError(.permanent, "the refreshed seal is not to \(seal.recipient.id) or not a new one")
            }
            return moved
        }
        guard case .success(let new?) = moved.result else { return moved }
        let opened = await verify(new, is: kek, until: until)
        return CallOutcome(result: opened.result.map { new }, latency: moved.latency + opened.latency)
    }
}
