extension SealingChain.Member {
    /// Seals a KEK, opens the seal again and compares: only then it counts. The seal of a backend that opens nothing is
    /// taken as it is, and stays unverified.
    func makeSeal(_ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant? = nil) async -> CallOutcome<Seal>
    {
        let sealed = await sealUnverified(kek, to: recipient, until: until)
        guard backend.canUnseal, case .success(let seal) = sealed.result else { return sealed }
        let verified = await verify(seal, is: kek, until: until)
        return CallOutcome(result: verified.result.map { seal }, latency: sealed.latency + verified.latency)
    }

    /// Seals a KEK; whether it opens again is still to be seen.
    func sealUnverified(
        _ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant?
    ) async -> CallOutcome<Seal> {
        await call("seal \(kek.id)", until: until) { (backend, until) throws(SealingError) in
            let seal = try await backend.seal(kek, to: recipient, until: until)
            guard seal.recipient == recipient, seal.kekID == kek.id else {
                throw SealingError(.permanent, "the seal is not to \(recipient.id) or not of KEK \(kek.id)")
            }
            return seal
        }
    }

    /// Opens a seal and compares what comes out with the KEK that is open here.
    func verify(_ seal: Seal, is kek: KEK, until: ContinuousClock.Instant? = nil) async -> CallOutcome<Void> {
        await call("unseal \(kek.id)", until: until) { (backend, until) throws(SealingError) in
            let other = try await backend.unseal(seal, until: until)
            guard other.isSame(as: kek) else {
                throw SealingError(.permanent, "the seal to \(seal.recipient.id) opens to something else")
            }
        }
    }
}
