internal import Keyring

/// The token in use: got when it is first needed, renewed at about two thirds of its lease, and replaced by a new login
/// when it can be renewed no further. All that happens beside the calls that need a token; they wait only when there is
/// none that is good.
actor TokenKeeper {
    private struct Held {
        let token: VaultToken
        /// When it expires, by this node's clock.
        let expires: ContinuousClock.Instant?
        /// What the login gave; a renewal that gives much less is near the token's last moment.
        let firstLease: Duration?
        let isRenewable: Bool
        /// The files it came from, as they were.
        let identities: [FileIdentity?]
        var uses: Int?
    }

    /// Credentials that Vault refused. They are not sent again for a while, unless their files change: a Vault may lock
    /// the role after a few attempts.
    private struct Refusal {
        let error: VaultError
        let identities: [FileIdentity?]
        let until: ContinuousClock.Instant
    }

    private typealias Login = Task<Result<VaultToken, VaultError>, Never>

    /// How long a login or a renewal may take: nobody's call waits for it that long.
    private static let patience = Duration.seconds(15)
    private static let firstPause = Duration.seconds(60)
    private static let longestPause = Duration.seconds(900)

    private let name: String
    private let method: LoginMethod
    private let client: VaultClient
    private let log: Log
    private var held: Held?
    private var running: Login?
    private var refusal: Refusal?
    private var refusals = 0
    private var futileUntil: ContinuousClock.Instant?
    private var upkeep: Task<Void, Never>?
    private var isClosed = false

    init(_ name: String, _ method: LoginMethod, _ client: VaultClient, _ log: Log) {
        self.name = name
        self.method = method
        self.client = client
        self.log = log
    }

    /// A token that should be good. One login runs at a time; whoever comes meanwhile waits for it.
    func token() async throws(VaultError) -> VaultToken {
        guard let held, isGood(held) else { return try await login().get() }
        // An agent may have written a newer one, or be just about to: then the one that is held does until it has.
        if !method.makesTokens, held.identities != method.identities, case .success(let newer) = await login() {
            return newer
        }
        if self.held?.token === held.token { self.held?.uses = held.uses.map { $0 - 1 } }
        return held.token
    }

    /// Vault does not know this token any more.
    func discard(_ token: VaultToken) {
        guard let held, held.token === token else { return }
        self.held = nil
        guard case .tokenFile(let path) = method.login else { return }
        refuse(
            VaultError(
                .login, "\(name): Vault does not know the token any more",
                hint: "the token in \(path) has expired or was revoked: put a new one there"), held.identities)
    }

    /// Whether a new login may help against a refusal; false for a while after one did not.
    var mayLogInAgain: Bool { futileUntil.map { $0 <= .now } ?? true }

    /// A new token was refused just as the old one.
    func newTokenDidNotHelp() { futileUntil = .now + TokenKeeper.firstPause }

    /// Ends the upkeep; a token that was made for this process is given back.
    func close(until: ContinuousClock.Instant) async {
        isClosed = true
        upkeep?.cancel()
        let token = held?.token
        held = nil
        guard method.makesTokens, let token else { return }
        _ = try? await client.send(.post, "auth/token/revoke-self", token: token, until: until)
    }

    private func isGood(_ held: Held) -> Bool {
        if let expires = held.expires, expires <= .now { return false }
        return held.uses.map { $0 > 0 } ?? true
    }

    private func login() async -> Result<VaultToken, VaultError> {
        guard !isClosed else { return .failure(VaultError(.shutdown, "\(name): shut down", errorClass: .retry)) }
        if let running { return await running.value }
        if let refusal, refusal.until > .now, refusal.identities == method.identities {
            return .failure(refusal.error)
        }
        let login = Login { await self.logIn() }
        running = login
        return await login.value
    }

    private func logIn() async -> Result<VaultToken, VaultError> {
        defer { running = nil }
        let identities = method.identities
        do throws(VaultError) {
            let grant = try await method.perform(until: .now + TokenKeeper.patience)
            refusal = nil
            refusals = 0
            log(
                .info, "logged in to Vault", ("backend", name), ("by", method.name),
                ("lease", grant.lease.map { "\($0.components.seconds)s" } ?? "none"))
            keep(grant, identities, firstLease: grant.lease)
            return .success(grant.token)
        } catch {
            if error.code == .login { refuse(error, identities) }
            return .failure(error)
        }
    }

    private func refuse(_ error: VaultError, _ identities: [FileIdentity?]) {
        let pause = min(TokenKeeper.firstPause * (1 << min(refusals, 4)), TokenKeeper.longestPause)
        refusals += 1
        refusal = Refusal(error: error, identities: identities, until: .now + pause)
        log(
            .error, "Vault refuses this node", ("backend", name), ("by", method.name), ("error", error.message),
            ("hint", error.hint ?? ""), ("nextAttempt", "in \(pause.components.seconds)s, or when a file changes"))
    }

    private func keep(_ grant: Grant, _ identities: [FileIdentity?], firstLease: Duration?) {
        guard !isClosed else { return }
        // Its first use is counted here: whoever asked for the login uses it.
        held = Held(
            token: grant.token, expires: grant.lease.map { .now + $0 }, firstLease: firstLease,
            isRenewable: grant.isRenewable, identities: identities, uses: grant.uses.map { $0 - 1 })
        guard let lease = grant.lease else { return schedule(grant.token, after: nil) }
        schedule(grant.token, after: lease * Double.random(in: 0.6...0.7))
    }

    private func schedule(_ token: VaultToken, after pause: Duration?) {
        upkeep?.cancel()
        upkeep = pause.map { pause in
            Task { [weak self] in
                // A server that gives no time at all is not asked without a pause.
                try? await Task.sleep(for: max(pause, .milliseconds(500)))
                guard !Task.isCancelled else { return }
                await self?.maintain(token)
            }
        }
    }

    /// Renews the token, or logs in anew when that cannot be done or brings little.
    private func maintain(_ token: VaultToken) async {
        guard let held, held.token === token, !isClosed else { return }
        var failure: VaultError?
        if held.isRenewable {
            do throws(VaultError) {
                let lease = try await renew(held)
                guard let first = held.firstLease, lease <= first / 2, method.makesTokens else { return }
                log(
                    .debug, "the token's last lease begins", ("backend", name),
                    ("lease", "\(lease.components.seconds)s"))
            } catch {
                failure = error
            }
        }
        let isRefused = failure.map { [400, 401, 403, 404].contains($0.status) } ?? true
        if isRefused {
            guard method.makesTokens else {
                log(
                    .warning, "the token will expire and cannot be renewed", ("backend", name), ("by", method.name),
                    ("error", failure?.message ?? "it is not renewable"))
                return
            }
            guard case .failure(let error) = await login() else { return }
            failure = error
        }
        retry(token, failure)
    }

    /// Until it expires; whoever needs one later logs in.
    private func retry(_ token: VaultToken, _ failure: VaultError?) {
        guard let held, held.token === token, let expires = held.expires, !isClosed else { return }
        let left = expires - .now
        guard left > .zero else { return }
        log(
            .warning, "the token could not be renewed yet", ("backend", name),
            ("error", failure?.message ?? "unknown"), ("expiresIn", "\(left.components.seconds)s"))
        let pause = min(left / 4, .seconds(60))
        schedule(token, after: pause * Double.random(in: 0.8...1.2))
    }

    /// - Returns: the new lease.
    private func renew(_ old: Held) async throws(VaultError) -> Duration {
        let increment = old.firstLease.map { "{\"increment\":\"\($0.components.seconds)s\"}" } ?? "{}"
        let answer = try await client.send(
            .post, "auth/token/renew-self", RequestBody(try SecretText.plain(increment)), token: old.token,
            until: .now + TokenKeeper.patience)
        guard held?.token === old.token, let seconds = answer.auth?["lease_duration"]?.integer else {
            throw VaultError(.answer, "renew-self: the answer has no lease", errorClass: .reopen)
        }
        // Of a token that expires, less than a second is left.
        let lease = Duration.seconds(min(max(seconds, 0), 1 << 32))
        held = Held(
            token: old.token, expires: .now + lease, firstLease: old.firstLease,
            isRenewable: answer.auth?["renewable"]?.bool ?? old.isRenewable, identities: old.identities,
            uses: held?.uses.map { $0 - 1 })
        log(.debug, "the token was renewed", ("backend", name), ("lease", "\(seconds)s"))
        schedule(old.token, after: lease * Double.random(in: 0.6...0.7))
        return lease
    }
}
