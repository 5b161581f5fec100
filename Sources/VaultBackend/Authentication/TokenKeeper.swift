internal import Keyring

/// The token in use: got when it is first needed, renewed at about two thirds of its lease, and replaced by a new login
/// when it can be renewed no further. All that happens beside the calls that need a token; they wait only when there is
/// none that is good.
actor TokenKeeper {
    private struct Held {
        let token: VaultToken
        /// When it expires, by this node's clock.
        var expires: ContinuousClock.Instant?
        /// What the login gave; a renewal that gives much less is near the token's last moment.
        let firstLease: Duration?
        /// What a renewal asks for.
        let increment: Duration?
        var isRenewable: Bool
        /// The files it came from, as they were.
        let identities: [FileIdentity?]
        var uses: Int?
        /// Whether Vault took it for any call.
        var hasServed = false
    }

    /// Credentials that Vault refused, or files that hold none. They are not tried again for a while, unless the files
    /// change: a Vault may lock the role after a few attempts.
    private struct Refusal {
        let error: VaultError
        let identities: [FileIdentity?]
        let until: ContinuousClock.Instant
    }

    private typealias Login = Task<Result<VaultToken, VaultError>, Never>

    /// How long a login or a renewal may take: nobody's call waits for it that long.
    private static let patience = Duration.seconds(15)
    /// How long the end of the process waits for a login on its way, and then for Vault to revoke the token.
    private static let farewell = Duration.seconds(2)
    /// How long a call waits for a newer token while the held one is good.
    private static let courtesy = Duration.seconds(1)
    /// How long a token that was replaced is left to the calls that were made with it.
    private static let afterlife = Duration.seconds(30)
    /// As many logins one call waits for when others use the tokens up.
    private static let attempts = 8

    private let name: String
    private let method: LoginMethod
    private let client: VaultClient
    private let log: Log
    private let pacing: LoginPacing
    private var held: Held?
    private var running: Login?
    private var refusal: Refusal?
    private var refusals = Futility()
    /// A token file that changed and whose token could not be looked up.
    private var unread: Refusal?
    /// Logins that worked, and whose tokens Vault did not take.
    private var futile = Futility()
    /// How many tokens in a row were refused before they served a call.
    private var stillborn = 0
    private var upkeep: Task<Void, Never>?
    private var retired: [VaultToken] = []
    private var isClosed = false

    init(_ name: String, _ method: LoginMethod, _ client: VaultClient, _ log: Log, _ pacing: LoginPacing) {
        self.name = name
        self.method = method
        self.client = client
        self.log = log
        self.pacing = pacing
    }

    /// A token that should be good. One login runs at a time; whoever comes meanwhile waits for it.
    ///
    /// - Parameter until: when the call that needs it stops waiting.
    func token(until: ContinuousClock.Instant) async throws(VaultError) -> VaultToken {
        if let held, isGood(held), !method.makesTokens, held.identities != method.identities {
            await readAgain(until)
        }
        if let token = take() { return token }
        // Those who waited for one login may be more than its token is good for.
        for _ in 0..<TokenKeeper.attempts {
            let token = try await login().get()
            if let taken = take(token) { return taken }
        }
        throw VaultError(
            .busy, "\(name): each token was used up by other calls",
            hint: "give the role a larger token_num_uses, or 0", errorClass: .retry)
    }

    /// An agent may have written a newer one, or be just about to: then the one that is held does until it has.
    private func readAgain(_ until: ContinuousClock.Instant) async {
        let identities = method.identities
        if let unread, unread.identities == identities, unread.until > pacing.now() { return }
        let wait = min((until - .now) / 4, TokenKeeper.courtesy)
        let outcome = await Deadline.race(until: .now + wait) { await self.login() }
        let problem: VaultError?
        switch outcome {
        case .success: problem = nil
        case .failure(let error): problem = error
        case nil: problem = VaultError(.deadline, "Vault has not looked the new token up in time", errorClass: .retry)
        }
        guard let problem else {
            unread = nil
            return
        }
        unread = Refusal(error: problem, identities: identities, until: pacing.now() + .seconds(30))
        log(
            .warning, "the changed token file cannot be used yet; the token before goes on", ("backend", name),
            ("by", method.name), ("error", problem.message), ("hint", problem.hint ?? ""))
    }

    /// One use of the held token, if it is still good; of `fresh` itself even if its lease is shorter than the login was.
    private func take(_ fresh: VaultToken? = nil) -> VaultToken? {
        guard let held, fresh == nil ? isGood(held) : held.token === fresh && held.uses.map({ $0 > 0 }) ?? true else {
            return nil
        }
        self.held?.uses = held.uses.map { $0 - 1 }
        return held.token
    }

    /// Vault took this token for a call.
    func served(_ token: VaultToken) {
        stillborn = 0
        if held?.token === token { held?.hasServed = true }
    }

    /// Vault does not know this token any more.
    func discard(_ token: VaultToken) {
        guard let held, held.token === token else { return }
        self.held = nil
        guard case .tokenFile(let path) = method.login else {
            stillborn = held.hasServed ? 0 : stillborn + 1
            if stillborn > 1 { _ = futile.add(pacing) }
            return retire(token)
        }
        refuse(
            VaultError(
                .login, "\(name): Vault does not know the token any more",
                hint: "the token in \(path) has expired or was revoked: put a new one there"), held.identities)
    }

    /// Whether a new login may help against a refusal; false for a while after one did not.
    var mayLogInAgain: Bool { !futile.isOn(pacing) }

    /// A new token was refused just as the old one.
    func newTokenDidNotHelp() {
        // Of calls that were under way together, one counts.
        if mayLogInAgain { _ = futile.add(pacing) }
    }

    /// Ends the upkeep; tokens that were made for this process are given back, that of a login on its way, too.
    func close(until: ContinuousClock.Instant) async {
        isClosed = true
        upkeep?.cancel()
        let tokens = (held.map { [$0.token] } ?? []) + retired
        held = nil
        retired = []
        guard method.makesTokens else { return }
        for token in tokens {
            // A Vault that does not answer is not asked for each of them.
            if let error = await revoke(token, until: min(until, .now + TokenKeeper.farewell)), error.status == nil {
                break
            }
        }
        // It gives its token back by itself; the connections are kept open for it.
        if let running { _ = await Deadline.race(until: until) { await running.value } }
    }

    /// - Returns: why not.
    @discardableResult
    private func revoke(_ token: VaultToken, until: ContinuousClock.Instant) async -> VaultError? {
        do throws(VaultError) {
            _ = try await client.send(.post, "auth/token/revoke-self", token: token, until: until)
            return nil
        } catch {
            return error
        }
    }

    /// Revokes a token that has a successor, once the calls that were made with it have ended.
    private func retire(_ token: VaultToken) {
        guard method.makesTokens, !isClosed else { return }
        retired.append(token)
        Task { [weak self, pacing] in
            await pacing.pause(TokenKeeper.afterlife)
            await self?.bury(token)
        }
    }

    private func bury(_ token: VaultToken) async {
        guard !isClosed, let index = retired.firstIndex(where: { $0 === token }) else { return }
        retired.remove(at: index)
        await revoke(token, until: .now + TokenKeeper.patience)
    }

    private func isGood(_ held: Held) -> Bool {
        if let expires = held.expires, expires <= pacing.now() { return false }
        return held.uses.map { $0 > 0 } ?? true
    }

    private var shutDown: VaultError { VaultError(.shutdown, "\(name): shut down", errorClass: .retry) }

    private func login() async -> Result<VaultToken, VaultError> {
        guard !isClosed else { return .failure(shutDown) }
        if let running { return await running.value }
        if let refusal, refusal.until > pacing.now(), refusal.identities == method.identities {
            return .failure(refusal.error)
        }
        guard stillborn < 2 || mayLogInAgain else {
            return .failure(
                VaultError(
                    .login, "\(name): Vault lets this node log in, and then does not take the token",
                    hint: "check the role's token settings, such as token_bound_cidrs, and Vault's log; "
                        + "the next attempt is made within the hour, or at a restart"))
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
            guard !isClosed else {
                if method.makesTokens { await revoke(grant.token, until: .now + TokenKeeper.farewell) }
                return .failure(shutDown)
            }
            refusal = nil
            refusals = Futility()
            log(
                .info, "logged in to Vault", ("backend", name), ("by", method.name),
                ("lease", grant.lease.map { "\($0.components.seconds)s" } ?? "none"))
            keep(grant, identities)
            return .success(grant.token)
        } catch {
            if error.code == .login { refuse(error, identities) }
            return .failure(error)
        }
    }

    private func refuse(_ error: VaultError, _ identities: [FileIdentity?]) {
        let pause = refusals.add(pacing)
        refusal = Refusal(error: error, identities: identities, until: pacing.now() + pause)
        log(
            .error, "Vault refuses this node", ("backend", name), ("by", method.name), ("error", error.message),
            ("hint", error.hint ?? ""), ("nextAttempt", "in \(pause.components.seconds)s, or when a file changes"))
    }

    private func keep(_ grant: Grant, _ identities: [FileIdentity?]) {
        if let old = held { retire(old.token) }
        held = Held(
            token: grant.token, expires: grant.lease.map { pacing.now() + $0 }, firstLease: grant.lease,
            increment: grant.increment, isRenewable: grant.isRenewable, identities: identities, uses: grant.uses)
        schedule(grant.token, after: grant.lease.map { $0 * pacing.random(0.6...0.7) })
    }

    private func schedule(_ token: VaultToken, after pause: Duration?) {
        upkeep?.cancel()
        upkeep = pause.map { pause in
            Task { [weak self, pacing] in
                // A server that gives no time at all is not asked without a pause.
                await pacing.pause(max(pause, .milliseconds(500)))
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
        if failure?.isRefusal ?? true {
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
        let left = expires - pacing.now()
        guard left > .zero else { return }
        log(
            .warning, "the token could not be renewed yet", ("backend", name),
            ("error", failure?.message ?? "unknown"), ("expiresIn", "\(left.components.seconds)s"))
        let pause = min(left / 4, .seconds(60))
        schedule(token, after: pause * pacing.random(0.8...1.2))
    }

    /// - Returns: the new lease.
    private func renew(_ old: Held) async throws(VaultError) -> Duration {
        // What is asked for counts from now: less than what is left would take from it.
        let left = old.expires.map { $0 - pacing.now() } ?? .zero
        let wanted = old.increment.map { max($0, left) }
        let increment = wanted.map { "{\"increment\":\"\($0.components.seconds)s\"}" } ?? "{}"
        let answer = try await client.send(
            .post, "auth/token/renew-self", RequestBody(try SecretText.plain(increment)), token: old.token,
            until: .now + TokenKeeper.patience)
        guard held?.token === old.token, let seconds = answer.auth?["lease_duration"]?.integer else {
            throw VaultError(.answer, "renew-self: the answer has no lease", errorClass: .reopen)
        }
        // Of a token that expires, less than a second is left.
        let lease = Duration.seconds(min(max(seconds, 0), 1 << 32))
        held?.expires = pacing.now() + lease
        held?.isRenewable = answer.auth?["renewable"]?.bool ?? old.isRenewable
        let uses = held?.uses.map { $0 - 1 }
        held?.uses = uses
        log(.debug, "the token was renewed", ("backend", name), ("lease", "\(seconds)s"))
        schedule(old.token, after: lease * pacing.random(0.6...0.7))
        return lease
    }
}
