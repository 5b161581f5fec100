public import Keyring
internal import Crypto
internal import Synchronization

/// Seals KEKs by the node's TPM 2.0.
///
/// Everything that asks the TPM runs on one thread of its own; the TPM is asked once a KEK and process, never in the path
/// of a request. A KEK has two kinds of seals here. One is made in software to the TPM's storage root key and lives in
/// the shared record; whoever knows the public key could have made it. The other is an object that the TPM made itself
/// and that is fixed to it; it stays on this node, and is the one that a start opens.
public final class TPMBackend: SealingBackend {
    /// The configuration's name for it.
    public let name: String
    /// "tpm".
    public let kind = RecipientDescription.kind

    let configuration: CheckedConfiguration
    let device: Device
    let enrolment: Enrolment
    private let pin: ObjectPIN?
    private let calls: DeviceCalls
    private let canary = Mutex<Canary?>(nil)

    /// Checks the configuration; opens nothing.
    ///
    /// - Throws: `TPMError.configuration`.
    public init(_ configuration: TPMConfiguration, log: Log) throws(TPMError) {
        ESYSContext.silenceLibrary
        self.configuration = try CheckedConfiguration(configuration)
        name = configuration.name
        device = Device(self.configuration, log: log)
        enrolment = Enrolment(
            StorageKeyPin(directory: self.configuration.stateDirectory, backend: configuration.name), log: log)
        let directory = self.configuration.stateDirectory
        pin = self.configuration.pin.map { ObjectPIN($0, directory: directory, log: log) }
        calls = DeviceCalls(self.configuration, device)
    }

    /// The TPM's storage root key, compared with the pinned one: one command. Its first call with `generateMissingKey`
    /// enrols the node: it pins the key, and makes it where there is none. With a PIN there is no shared recipient.
    public func recipients(
        generateMissingKey: Bool, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        let (device, enrolment, policy, wantsPIN) = (device, enrolment, configuration.policy, pin != nil)
        return try await call(until) { () throws(TPMError) in
            try device.run { (context) throws(TPMError) in
                let key = try enrolment.checked(context, enrol: generateMissingKey)
                guard !wantsPIN, let target = try policy.targets(context, key).first else { return [] }
                return [
                    try RecipientDescription(
                        .shared(key.area), policyDigest: target.digest, policy: target.parameters
                    ).recipient()
                ]
            }
        }
    }

    /// This node's own recipients, whose seals never leave it: one for each state of the TPM that the policy lets open.
    /// No command without a policy.
    ///
    /// - Throws: `notEnrolled`.
    public func localRecipients(until: ContinuousClock.Instant) async throws(SealingError) -> [Recipient] {
        try await localRecipients(by: configuration.policy, until: until)
    }

    /// As above, by a policy of the caller's.
    func localRecipients(
        by policy: TPMPolicy, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        let (device, enrolment, wantsPIN) = (device, enrolment, pin != nil)
        return try await call(until) { () throws(TPMError) in
            try device.run { (context) throws(TPMError) in
                let key = try enrolment.enrolled()
                var recipients: [Recipient] = []
                for target in try policy.targets(context, key) {
                    let bound = wantsPIN ? try target.withPIN() : target
                    recipients.append(
                        try RecipientDescription(
                            .local(name: key.name), policyDigest: bound.digest, policy: bound.parameters,
                            wantsPIN: wantsPIN
                        ).recipient())
                }
                return recipients
            }
        }
    }

    /// By the Name of the pinned storage root key, whatever the policy; before the enrolment, whatever a TPM recipient's
    /// description says.
    public func serves(_ recipient: Recipient) -> Bool {
        do throws(TPMError) {
            let description = try RecipientDescription.of(recipient)
            guard let key = try enrolment.pinned() else { return true }
            return try description.storageKeyName == key.name
        } catch {
            return false
        }
    }

    /// Whether it is an object that a TPM made under the pinned storage root key and that is fixed there: local seals,
    /// no shared ones.
    public func isAuthenticated(_ seal: Seal) -> Bool {
        do throws(TPMError) {
            let description = try RecipientDescription.of(seal.recipient)
            guard case .local(let name) = description.scope, let key = try enrolment.pinned() else { return false }
            _ = try TPMSeal(local: seal.bytes, description)
            return name == key.name
        } catch {
            return false
        }
    }

    /// Local: two commands. Shared: none.
    public func seal(
        _ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant
    ) async throws(SealingError) -> Seal {
        let (device, enrolment, pin) = (device, enrolment, pin)
        let bytes = try await call(until) { () throws(TPMError) in
            let description = try RecipientDescription.of(recipient)
            guard let key = try enrolment.pinned(), try description.storageKeyName == key.name else {
                throw TPMError(
                    .seal, "tpm recipient \(recipient.id) is not the enrolled storage root key", errorClass: .permanent)
            }
            switch description.scope {
            case .shared: return try SharedSealing.seal(kek, to: description, under: key)
            case .local:
                return try device.run { (context) throws(TPMError) in
                    try explained(enrolment, key, context) { () throws(TPMError) in
                        try LocalSealing.seal(kek, to: description, pin: pin, under: key, context)
                    }
                }
            }
        }
        return Seal(recipient: recipient, kekID: kek.id, bytes: bytes)
    }

    /// Local: four commands. Shared: five. With a policy some more.
    public func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK {
        let (device, enrolment, policy, pin) = (device, enrolment, configuration.policy, pin)
        return try await call(until) { () throws(TPMError) in
            // Before any hardware is asked.
            let description = try RecipientDescription.of(seal.recipient)
            let parsed = try ParsedSeal(seal.bytes, description)
            let secret = try device.run { (context) throws(TPMError) in
                let key = try enrolment.key(for: description, context)
                return try explained(enrolment, key, context) { () throws(TPMError) in
                    try parsed.open(
                        SealOpening(
                            context: context, key: key, description: description, policy: policy, pin: pin, until: until
                        ))
                }
            }
            guard secret.count == KEK.size else { throw TPMSeal.doesNotOpen }
            do {
                let kek = try KEK(secret)
                guard kek.matches(seal.kekID) else { throw TPMSeal.doesNotOpen }
                return kek
            } catch let error as TPMError {
                throw error
            } catch {
                throw TPMError(.local, "KEK: \(error)", errorClass: .retry)
            }
        }
    }

    /// Opens a canary that is made once: four commands, the first time two more.
    public func probe(until: ContinuousClock.Instant) async throws(SealingError) {
        let (device, enrolment) = (device, enrolment)
        let known = canary.withLock { $0 }
        let canary = try await call(until) { () throws(TPMError) in
            try device.run { (context) throws(TPMError) in
                let key = try enrolment.enrolled()
                return try explained(enrolment, key, context) { () throws(TPMError) in
                    if let known {
                        try known.check(key, context)
                        return known
                    }
                    let canary = try Canary(key, context)
                    try canary.check(key, context)
                    return canary
                }
            }
        }
        self.canary.withLock { $0 = canary }
    }

    /// See `Diagnosis`.
    public func diagnose(until: ContinuousClock.Instant) async -> [Finding] {
        var findings: [Finding] = []
        if let oldest = calls.oldestCall, oldest > .seconds(3) {
            findings.append(
                Finding(
                    .error, "calls", "a command of the TPM has not returned for \(oldest.components.seconds) s",
                    hint: "look at the kernel's log for tpm; the command cannot be cancelled, only a restart ends it"))
        }
        let diagnosis = Diagnosis(configuration, device, enrolment, pin)
        do throws(TPMError) {
            findings += try await calls.runInTurn(until: until) { () throws(TPMError) in diagnosis.run() }
        } catch {
            findings.append(Finding(.error, "TPM", error.message, hint: error.hint))
        }
        return findings
    }

    /// Gives the TPM back, unless a command hangs.
    public func shutdown(until: ContinuousClock.Instant) async { await calls.stop(until: until) }

    /// Whether the TPM is open now.
    var isDeviceOpen: Bool { device.isOpen }

    func call<R: Sendable>(
        _ until: ContinuousClock.Instant, _ body: @escaping @Sendable () throws(TPMError) -> R
    ) async throws(SealingError) -> R {
        do throws(TPMError) {
            return try await calls.run(until: until, body)
        } catch {
            throw error.sealingError
        }
    }
}

/// Runs `body`; a refusal that comes of another storage root key in the TPM is told as that.
private func explained<R: ~Copyable>(
    _ enrolment: Enrolment, _ key: StorageKey, _ context: ESYSContext, _ body: () throws(TPMError) -> R
) throws(TPMError) -> R {
    do throws(TPMError) {
        return try body()
    } catch {
        throw enrolment.explain(error, key, context)
    }
}
