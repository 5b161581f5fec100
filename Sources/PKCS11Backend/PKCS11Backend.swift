public import Keyring
internal import Crypto
internal import Synchronization

/// Seals KEKs by an AES or RSA key inside a PKCS#11 token.
///
/// Blocking calls run on a few threads of its own, each call in a session of its own: that is enough, since the HSM is
/// asked once a KEK and process, never in the path of a request. Login and whatever makes the module anew exclude all
/// calls (`Token`).
public final class PKCS11Backend: SealingBackend {
    /// The configuration's name for it.
    public let name: String
    /// "pkcs11".
    public let kind = KeyDescription.kind

    private let configuration: CheckedConfiguration
    private let token: Token
    private let threads: ModuleCalls
    /// The description is the key's, and to ask for it is to try the mechanisms.
    public let describesMoreThanKeys = false
    private let canary = Mutex<Canary?>(nil)
    /// The recipient of the key that was found on the token.
    private let known = Mutex<Recipient?>(nil)

    /// Checks the configuration; opens nothing.
    ///
    /// - Throws: `PKCS11Error.configuration` or `pinSource`.
    public convenience init(_ configuration: PKCS11Configuration, log: Log) throws(PKCS11Error) {
        try self.init(configuration, log: log, longestBackoff: .seconds(30))
    }

    /// - Parameter longestBackoff: the longest time between two attempts to make the module anew.
    package init(
        _ configuration: PKCS11Configuration, log: Log, longestBackoff: Duration
    ) throws(PKCS11Error) {
        self.configuration = try CheckedConfiguration(configuration)
        name = configuration.name
        token = Token(self.configuration, log: log, backoff: ReopenBackoff(longest: longestBackoff))
        threads = ModuleCalls(configuration.name, limit: configuration.maxSessions)
    }

    /// The one key that the URI selects, with its mechanism chosen by round trips: six calls a mechanism tried.
    public func recipients(
        generateMissingKey: Bool, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        try await call(until) { (token) throws(PKCS11Error) in
            if generateMissingKey { _ = try token.generateKeyIfMissing() }
            let recipient = try token.withKey { (use) throws(PKCS11Error) in
                _ = try token.choose(use).chosen(for: use.key)
                return try KeyDescription(use.info, use.key).recipient()
            }
            self.known.withLock { $0 = recipient }
            return [recipient]
        }
    }

    /// By the token's serial and CKA_ID once the key was found, before that by the recipient's description.
    public func serves(_ recipient: Recipient) -> Bool {
        guard recipient.kind == kind else { return false }
        if let known = known.withLock({ $0 }) { return known.id == recipient.id }
        // The description came with a record: it has to be the one that its ID was made from.
        guard let description = KeyDescription(recipient.description),
            (try? description.recipient().id) == recipient.id
        else { return false }
        return description.matches(configuration.uri)
    }

    /// Whether the token's AES key made it. Anyone who knows the public key can make an RSA-OAEP seal; one that does not
    /// parse proves nothing either.
    public func isAuthenticated(_ seal: Seal) -> Bool {
        guard let parsed = try? PKCS11Seal(seal.bytes), let mechanism = try? SealingMechanisms.named(parsed) else {
            return false
        }
        return mechanism.style.isAuthenticated
    }

    /// One C_Encrypt or C_WrapKey, or none (RSA); the process' first seal probes the mechanism before.
    public func seal(
        _ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant
    ) async throws(SealingError) -> Seal {
        try await call(until) { (token) throws(PKCS11Error) in
            let seal = try token.withKey { (use) throws(PKCS11Error) in
                try PKCS11Backend.compare(recipient, use)
                let mechanism = try token.mechanism(use)
                return try kek.withUnsafeBytes { (bytes) throws(PKCS11Error) in
                    try mechanism.seal(bytes, context: PKCS11Seal.context(kek.id), use.session, use.key)
                }
            }
            return Seal(recipient: recipient, kekID: kek.id, bytes: seal.encoded)
        }
    }

    /// One C_Decrypt or C_UnwrapKey.
    public func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK {
        try await call(until) { (token) throws(PKCS11Error) in
            // Before any hardware is asked.
            let parsed = try PKCS11Seal(seal.bytes)
            let mechanism = try SealingMechanisms.named(parsed)
            let context = PKCS11Seal.context(seal.kekID)
            return try token.withKey { (use) throws(PKCS11Error) in
                try PKCS11Backend.compare(seal.recipient, use)
                let secret = try mechanism.open(parsed, context: context, use.session, use.key)
                guard secret.count == KEK.size else { throw PKCS11Seal.doesNotOpen }
                do {
                    return try KEK(secret)
                } catch {
                    throw PKCS11Error(.local, "KEK: \(error)", errorClass: .retry)
                }
            }
        }
    }

    /// Asks for the token, then opens a canary that is made once.
    public func probe(until: ContinuousClock.Instant) async throws(SealingError) {
        try await call(until) { (token) throws(PKCS11Error) in
            try token.withKey { (use) throws(PKCS11Error) in
                // A key object may outlive its token in the library's memory: ask for the token first.
                do throws(PKCS11Error) {
                    _ = try use.session.module.token(in: use.info.slot)
                } catch  where error.level == .generalError || error.level == .request {
                    // No request of anybody's is at fault, whatever the code says.
                    throw PKCS11Error(error, level: .module, errorClass: .reopen)
                }
                if let canary = self.canary.withLock({ $0 }) {
                    try canary.check(use)
                } else {
                    let canary = try Canary(use, by: token.mechanism(use))
                    try canary.check(use)
                    self.canary.withLock { $0 = canary }
                }
            }
        }
    }

    /// See `Diagnosis`; at most one login, through the PIN guard.
    public func diagnose(until: ContinuousClock.Instant) async -> [Finding] {
        var findings: [Finding] = []
        if let oldest = threads.oldestCall, oldest > .seconds(3) {
            findings.append(
                Finding(
                    .error, "calls", "a call to the module has not returned for \(oldest.components.seconds) s",
                    hint: "check the HSM and its connection; the call cannot be cancelled, only a restart ends it"))
        }
        do throws(PKCS11Error) {
            let token = self.token
            findings += try await threads.run(until: until) { () throws(PKCS11Error) in Diagnosis.run(token) }
        } catch {
            findings.append(Finding(.error, "token", error.message, hint: error.hint))
        }
        return findings
    }

    /// Afterwards the module is finalized, unless a call hangs in it: then the process should end by `_exit`, since the
    /// library's own clean-up at `exit` crashes under a running call.
    public func shutdown(until: ContinuousClock.Instant) async {
        guard await threads.stop(until: until) else { return }
        let last = ModuleCalls(name, limit: 1)
        let token = self.token
        _ = try? await last.run(until: until) { () throws(PKCS11Error) in token.close() }
        _ = await last.stop(until: until)
    }

    private func call<R: Sendable>(
        _ until: ContinuousClock.Instant, _ body: @escaping @Sendable (Token) throws(PKCS11Error) -> R
    ) async throws(SealingError) -> R {
        let token = self.token
        do throws(PKCS11Error) {
            return try await threads.run(until: until) { () throws(PKCS11Error) in try body(token) }
        } catch {
            throw error.sealingError
        }
    }

    /// - Throws: `seal` when the recipient is another key than the one on the token.
    private static func compare(_ recipient: Recipient, _ use: Token.Use) throws(PKCS11Error) {
        let here = try KeyDescription(use.info, use.key).recipient()
        guard here.id == recipient.id else {
            throw PKCS11Error(
                .seal, "pkcs11 recipient \(recipient.id) is not the key on token \(use.info.name), \(here.id)",
                errorClass: .permanent)
        }
    }
}
