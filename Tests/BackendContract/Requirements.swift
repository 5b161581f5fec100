internal import Keyring

/// The requirements that take more than a line.
extension BackendContract {
    func recordProblem(_ told: [Recipient]) -> String? {
        for recipient in told {
            guard recipient.kind == backend.kind else { return "the recipient's kind is \(recipient.kind)" }
            guard recipient.description.count <= 512 else { return "the description has over 512 bytes" }
        }
        guard seal.recipient == recipient, seal.kekID == kek.id else { return "a seal of or to something else" }
        guard 1...2048 ~= seal.bytes.count else { return "the seal has \(seal.bytes.count) bytes" }
        do {
            let keyring = try KeyringIdentity(keyringID: [UInt8](repeating: 1, count: 16), name: "contract")
            let record = try Record.make(
                kek: kek, keyring: keyring, generation: 1, created: 0, voucherFloor: 0, seals: [seal])
            return try Record(decoding: record.encoded).liveSeals == [seal] ? nil : "the record gives another seal back"
        } catch {
            return "\(error)"
        }
    }

    func servingProblem(_ told: [Recipient], _ foreign: Recipient) -> String? {
        for recipient in told where !backend.serves(recipient) { return "it does not serve \(recipient.id)" }
        if backend.serves(foreign) { return "it serves \(foreign.id)" }
        let otherKind = Recipient(id: "other:aa", kind: "other", description: recipient.description)
        return backend.serves(otherKind) ? "it serves another kind" : nil
    }

    /// Where the mechanism binds the kekID it is an error; elsewhere the true KEK may come out, which the caller compares.
    func otherKEKProblem() async -> String? {
        do {
            let other = try KEK.generate()
            let renamed = Seal(recipient: recipient, kekID: other.id, bytes: seal.bytes)
            let opened = try await backend.unseal(renamed, until: until)
            if backend.isAuthenticated(seal) { return "it opens although its kekID is bound" }
            return opened.id == other.id ? "to a KEK that was never sealed" : nil
        } catch let error as SealingError {
            return error.errorClass == .permanent ? nil : "refused as \(error.errorClass.rawValue): \(error)"
        } catch {
            return "\(error)"
        }
    }

    func tamperingProblem() async -> String? {
        var variants: [[UInt8]] = seal.bytes.indices.map { index in
            var bytes = seal.bytes
            bytes[index] ^= 1 << UInt8(index % 8)
            return bytes
        }
        variants += seal.bytes.indices.map { Array(seal.bytes[..<$0]) }
        variants.append(seal.bytes + [0])
        for (index, bytes) in variants.enumerated() {
            let altered = Seal(recipient: recipient, kekID: kek.id, bytes: bytes)
            let problem = await refusal([.permanent]) { () throws(SealingError) in
                _ = try await backend.unseal(altered, until: until)
            }
            if let problem { return "variant \(index) of \(variants.count): \(problem)" }
        }
        return nil
    }

    func deadlineProblem() async -> String? {
        let start = ContinuousClock.now
        for call in Call.allCases {
            let problem = await refusal([.retry]) { () throws(SealingError) in
                try await perform(call, until: start - .seconds(1))
            }
            if let problem { return "\(call): \(problem)" }
        }
        let duration = ContinuousClock.now - start
        return duration < BackendContract.patience ? nil : "it took \(duration)"
    }

    /// A bounded queue may refuse some of them for now.
    func concurrencyProblem() async -> String? {
        let (backend, seal, kekID, until) = (backend, seal, kek.id, until)
        let answers = await withTaskGroup(of: String?.self) { group in
            for _ in 0..<32 {
                group.addTask {
                    do throws(SealingError) {
                        return try await backend.unseal(seal, until: until).id == kekID ? nil : "a wrong KEK"
                    } catch {
                        return error.errorClass == .retry ? "busy" : "\(error)"
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        if let problem = answers.first(where: { $0 != nil && $0 != "busy" }) { return problem }
        return answers.contains(nil) ? nil : "none of them was answered"
    }

    func shutdownProblem() async -> String? {
        await backend.shutdown(until: until)
        for call in Call.allCases {
            let problem = await refusal([.retry, .reopen, .permanent, .operatorMustAct]) { () throws(SealingError) in
                try await perform(call, until: until)
            }
            if let problem { return "\(call): \(problem)" }
        }
        return nil
    }

    private enum Call: CaseIterable { case recipients, seal, unseal, probe }

    private func perform(_ call: Call, until: ContinuousClock.Instant) async throws(SealingError) {
        switch call {
        case .recipients: _ = try await backend.recipients(generateMissingKey: false, until: until)
        case .seal: _ = try await backend.seal(kek, to: recipient, until: until)
        case .unseal: _ = try await backend.unseal(seal, until: until)
        case .probe: try await backend.probe(until: until)
        }
    }
}
