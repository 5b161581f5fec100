internal import Crypto
public import Keyring
internal import Synchronization

/// Seals KEKs by a key of Vault's transit engine, or OpenBao's, which never leaves it.
///
/// Requests are made on a thread of its own over connections that are kept; tokens are renewed beside the calls. Vault is
/// asked once a KEK and process, and by probes, never in the path of a request.
public final class VaultBackend: SealingBackend {
    /// The configuration's name for it.
    public let name: String
    /// "vault".
    public let kind = KeyDescription.kind
    /// Each attempt is a request, in Vault's audit log and its rate limit.
    public let pacesItself = false

    private let configuration: CheckedConfiguration
    private let client: VaultClient
    private let keeper: TokenKeeper
    private let method: LoginMethod
    private let transit: Transit
    private let book: KeyBook
    private let canary = Mutex<Canary?>(nil)
    private let isShutDown = Mutex(false)
    private let whenSettled: Mutex<(@Sendable () -> Void)?>

    /// How much later than its deadline a call is given up, so that libcurl's own reason comes first.
    private static let grace = Duration.milliseconds(50)

    /// Checks the configuration; opens nothing.
    ///
    /// - Parameter whenSettled: called once, after the first probe that succeeded: libcurl and all that it brings were
    ///   loaded and used then, and most of what was read for that is not needed again.
    /// - Throws: `VaultError.configuration`.
    public convenience init(
        _ configuration: VaultConfiguration, log: Log, whenSettled: @escaping @Sendable () -> Void = {}
    ) throws(VaultError) {
        try self.init(configuration, log: log, pacing: LoginPacing(), whenSettled: whenSettled)
    }

    init(
        _ configuration: VaultConfiguration, log: Log, pacing: LoginPacing,
        whenSettled: @escaping @Sendable () -> Void = {}
    ) throws(VaultError) {
        self.whenSettled = Mutex(whenSettled)
        let checked = try CheckedConfiguration(configuration)
        self.configuration = checked
        name = checked.name
        client = VaultClient(checked)
        method = LoginMethod(checked, client, log)
        keeper = TokenKeeper(checked.name, method, client, log, pacing)
        book = KeyBook(mount: checked.fullMount, name: checked.key)
        transit = Transit(
            api: AuthorizedClient(client: client, keeper: keeper), mount: checked.mount, key: checked.key, book: book)
        if checked.addresses.contains(where: { !$0.isEncrypted }) {
            log(
                .warning, "Vault is reached without TLS: tokens and KEKs cross this machine's loopback in clear",
                ("backend", checked.name))
        }
    }

    /// The one key of the configuration. A missing one is made if the token may, as an aes256-gcm96 key that cannot be
    /// exported.
    public func recipients(
        generateMissingKey: Bool, until: ContinuousClock.Instant
    ) async throws(SealingError) -> [Recipient] {
        try await call(until) { (backend) throws(VaultError) in
            do throws(VaultError) {
                return [try backend.book.recipient(of: try await backend.transit.readSafe(until))]
            } catch  where error.status == 404 && error.code == .notFound && generateMissingKey {
                try await backend.transit.create(until)
                return [try backend.book.recipient(of: try await backend.transit.readSafe(until))]
            }
        }
    }

    /// By mount, name and the pinned version's time once the key was shown, before that by mount and name.
    public func serves(_ recipient: Recipient) -> Bool { book.serves(recipient) }

    /// True: only Vault has the key.
    public func isAuthenticated(_ seal: Seal) -> Bool { true }

    /// Three requests: the key is looked at, used, and looked at again, so that it was the same key throughout.
    public func seal(
        _ kek: KEK, to recipient: Recipient, until: ContinuousClock.Instant
    ) async throws(SealingError) -> Seal {
        try await call(until) { (backend) throws(VaultError) in
            let key = try await backend.transit.readSafe(until)
            try backend.compare(recipient, key, mayBeUnproven: false)
            let plaintext = try kek.withUnsafeBytes { (bytes) throws(VaultError) in try SecretText.copy(bytes) }
            let made = try await backend.transit.encrypt(plaintext, as: key, until)
            try backend.compare(recipient, try await backend.transit.readSafe(until), mayBeUnproven: false)
            return Seal(recipient: recipient, kekID: kek.id, bytes: made.encoded)
        }
    }

    /// One request, and the process's first call two more. An exportable key still opens what was sealed to it: refusing
    /// would undo nothing.
    public func unseal(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> KEK {
        // Before Vault is asked.
        let parsed: VaultSeal
        do throws(VaultError) {
            parsed = try VaultSeal(seal.bytes)
        } catch {
            throw error.sealingError
        }
        return try await call(until) { (backend) throws(VaultError) in
            let shown: TransitKey
            if let known = backend.book.key, backend.book.match(seal.recipient, known) == .same {
                shown = known
            } else {
                shown = try await backend.transit.read(until)
            }
            try backend.compare(seal.recipient, shown, mayBeUnproven: true)
            let secret: SecretText.Owned
            do throws(VaultError) {
                secret = try await backend.transit.decrypt(parsed, until)
            } catch  where error.code == .seal {
                // Was the key made anew since it was shown?
                if let newer = backend.book.key { try backend.compare(seal.recipient, newer, mayBeUnproven: true) }
                throw error
            }
            guard secret.bytes.count == KEK.size else { throw VaultSeal.doesNotOpen }
            let kek: KEK
            do throws(CryptoError) {
                kek = try KEK(
                    try secret.bytes.withUnsafeBytes { (bytes) throws(CryptoError) in
                        try SecretBytes(copying: bytes)
                    })
            } catch {
                throw VaultError(error)
            }
            // What binds: associated data is unknown to older servers, which ignore it, and to rewrap.
            guard kek.matches(seal.kekID) else { throw VaultSeal.doesNotOpen }
            backend.book.prove(seal.recipient, by: shown)
            return kek
        }
    }

    /// True.
    public var hasKeyVersions: Bool { true }

    /// The same seal under the key's latest version, when an older one made it; nil when it is up to date.
    ///
    /// Vault does it by itself (`rewrap`); the caller opens the new seal before it drops the old one.
    public func refreshed(_ seal: Seal, until: ContinuousClock.Instant) async throws(SealingError) -> Seal? {
        try await call(until) { (backend) throws(VaultError) in
            let parsed = try VaultSeal(seal.bytes)
            let key = try await backend.transit.readSafe(until)
            try backend.compare(seal.recipient, key, mayBeUnproven: false)
            guard let version = parsed.version, version < key.latestVersion else { return nil }
            let made = try await backend.transit.rewrap(parsed, as: key, until)
            return Seal(recipient: seal.recipient, kekID: seal.kekID, bytes: made.encoded)
        }
    }

    /// Looks at the key, so that one that became exportable shows, and opens a canary.
    public func probe(until: ContinuousClock.Instant) async throws(SealingError) {
        try await call(until) { (backend) throws(VaultError) in
            let key = try await backend.transit.readSafe(until)
            if let canary = backend.canary.withLock({ $0 }), canary.fits(key) {
                do throws(VaultError) {
                    return try await canary.check(backend.transit, until)
                } catch  where error.code == .seal {
                    // Its key may have been made anew; a new one tells.
                    backend.canary.withLock { $0 = nil }
                }
            }
            let canary = try await Canary(backend.transit, key, until)
            try await canary.check(backend.transit, until)
            backend.canary.withLock { $0 = canary }
        }
        whenSettled.withLock { $0.take() }?()
    }

    /// See `Diagnosis`; at most one login.
    public func diagnose(until: ContinuousClock.Instant) async -> [Finding] {
        let diagnosis = Diagnosis(
            configuration: configuration, client: client, method: method, transit: transit, book: book)
        let findings = await Deadline.race(until: until + VaultBackend.grace) { await diagnosis.run(until) }
        return findings ?? [Finding(.error, "Vault", "no answer in time", hint: "check Vault and the way to it")]
    }

    /// Gives back the token that was made for this process, and closes the connections.
    public func shutdown(until: ContinuousClock.Instant) async {
        isShutDown.withLock { $0 = true }
        let (keeper, client) = (keeper, client)
        _ = await Deadline.race(until: until) {
            await keeper.close(until: until)
            await client.stop()
        }
    }

    private func call<R: Sendable>(
        _ until: ContinuousClock.Instant,
        _ body: @escaping @Sendable (VaultBackend) async throws(VaultError) -> R
    ) async throws(SealingError) -> R {
        guard !isShutDown.withLock({ $0 }) else {
            throw VaultError(.shutdown, "\(name): shut down", errorClass: .retry).sealingError
        }
        let late = VaultError(
            .deadline, "\(name): no answer in time", hint: "check Vault and the way to it", errorClass: .retry)
        guard ContinuousClock.now < until else { throw late.sealingError }
        let outcome = await Deadline.race(until: until + VaultBackend.grace) { () async -> Result<R, VaultError> in
            do throws(VaultError) { return .success(try await body(self)) } catch { return .failure(error) }
        }
        switch outcome ?? .failure(late) {
        case .success(let answer): return answer
        case .failure(let error): throw error.sealingError
        }
    }

    /// - Throws: `seal` when the recipient is another key than the one that Vault shows.
    private func compare(
        _ recipient: Recipient, _ key: TransitKey, mayBeUnproven: Bool
    ) throws(VaultError) {
        switch book.match(recipient, key) {
        case .same: return
        case .unknown:
            guard !mayBeUnproven else { return }
            throw VaultError(
                .keyRefused,
                "recipient \(recipient.id): the version that it is known by is below the key's "
                    + "min_decryption_version, so nobody can tell whether the key is still the same",
                hint: "let a seal of it open first: lower min_decryption_version for a moment")
        case .other:
            throw VaultError(
                .seal, "vault recipient \(recipient.id) is not key \(configuration.key) at \(configuration.fullMount)",
                hint: "was the key deleted and made anew? what was sealed to the old one does not open any more",
                errorClass: .permanent)
        }
    }
}
