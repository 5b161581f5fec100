public import Keyring
internal import Crypto
internal import Synchronization

/// Seals KEKs to an operator's key that is kept offline. It never opens a seal: that takes the private key, which is not
/// on this machine, and `trousseau recover`.
///
/// Needs no device: sealing is a millisecond of computation, and the one file is read again for each call, since it is
/// small and its owner may have replaced it.
public final class RecoveryBackend: SealingBackend {
    /// The configuration's name for it.
    public let name: String
    /// "recovery".
    public let kind = RecipientDescription.kind
    /// False.
    public let canUnseal = false

    private let path: String
    private let isShutDown = Mutex(false)
    /// The recipient of the key in the file, once it was read.
    private let known = Mutex<Recipient?>(nil)

    /// Checks the configuration; opens nothing.
    ///
    /// - Throws: `RecoveryError.configuration`.
    public init(_ configuration: RecoveryConfiguration) throws(RecoveryError) {
        guard configuration.certificate.hasPrefix("/"), !configuration.certificate.utf8.contains(0) else {
            throw RecoveryError(
                .configuration, "certificate \"\(configuration.certificate)\" is not an absolute path",
                hint: "name a PEM file with the recovery key's certificate or public key")
        }
        name = configuration.name
        path = configuration.certificate
    }

    /// The one key of the file. A missing one is not made here, where its private half must not be.
    public func recipients(
        generateMissingKey: Bool, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        do throws(RecoveryError) {
            try checkMayRun(until)
            return [try read().recipient]
        } catch {
            throw error.sealingError
        }
    }

    /// By the key in the file; a file that cannot be read serves nobody.
    public func serves(_ recipient: Recipient) -> Bool {
        guard recipient.kind == kind else { return false }
        let own = known.withLock { $0 } ?? (try? read().recipient)
        return own?.id == recipient.id
    }

    /// False: whoever has the public key can make such a seal.
    public func isAuthenticated(_ seal: Seal) -> Bool { false }

    /// Seals with the public key.
    public func seal(
        _ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant
    ) async throws(SealingError) -> Seal {
        do throws(RecoveryError) {
            try checkMayRun(until)
            let (key, own) = try read()
            guard own.id == recipient.id else {
                throw RecoveryError(
                    .recipient, "\(path): the key is not recipient \(recipient.id), but \(own.id)",
                    hint: "put the recipient's own certificate there, or reseal to the new one", errorClass: .permanent)
            }
            return Seal(recipient: recipient, kekID: kek.id, bytes: try RecoverySeal.seal(kek, to: key))
        } catch {
            throw error.sealingError
        }
    }

    /// Always fails: the private key is not here.
    public func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK {
        do throws(RecoveryError) {
            try checkMayRun(until)
            throw RecoveryError(
                .recipient, "\(name): a recovery key's seals do not open on this machine",
                hint: "in an emergency, bring the private key and run trousseau recover", errorClass: .permanent)
        } catch {
            throw error.sealingError
        }
    }

    /// Reads the key: more cannot go wrong here.
    public func probe(until: ContinuousClock.Instant) async throws(SealingError) {
        do throws(RecoveryError) {
            try checkMayRun(until)
            _ = try read()
        } catch {
            throw error.sealingError
        }
    }

    /// The file, the key, and what its certificate says.
    public func diagnose(until: ContinuousClock.Instant) async -> [Finding] {
        do throws(RecoveryError) {
            let (key, recipient) = try read()
            let found = Finding(.ok, "recovery key \(path)", "\(key.text), recipient \(recipient.id)")
            return [found]
                + key.remarks.map {
                    Finding(
                        .warning, "recovery key \(path)", $0,
                        hint: "KEKs are sealed to it all the same; make sure that its private key is still at hand")
                }
        } catch {
            return [Finding(.error, "recovery key \(path)", error.message, hint: error.hint)]
        }
    }

    /// Nothing is open; calls are refused from now on.
    public func shutdown(until: ContinuousClock.Instant) async { isShutDown.withLock { $0 = true } }

    private func checkMayRun(_ until: ContinuousClock.Instant) throws(RecoveryError) {
        guard !isShutDown.withLock({ $0 }) else {
            throw RecoveryError(.shutdown, "\(name): shut down", errorClass: .retry)
        }
        guard ContinuousClock.now < until else {
            throw RecoveryError(.deadline, "\(name): no time left", errorClass: .retry)
        }
    }

    private func read() throws(RecoveryError) -> (key: RecipientKey, recipient: Recipient) {
        let pem = try KeyFile.readPublic(path)
        let key: RecipientKey
        do throws(RecoveryError) {
            key = try RecipientKey(pem: pem)
        } catch {
            throw RecoveryError(
                error.code, "\(path): \(error.message)", hint: error.hint, errorClass: error.errorClass)
        }
        let recipient = try key.recipient()
        known.withLock { $0 = recipient }
        return (key, recipient)
    }
}
