internal import Keyring

/// A token that Vault gave, and how long it is good.
struct Grant: Sendable {
    let token: VaultToken
    /// From now on; nil: it does not expire.
    let lease: Duration?
    let isRenewable: Bool
    /// What a renewal should ask for: the token's whole life, also when it was got near the end of one; nil: what Vault
    /// gives by itself.
    let increment: Duration?
    /// How many calls it is good for; nil: any number.
    let uses: Int?

    /// Of the answer to a login.
    ///
    /// - Throws: `answer`.
    init(login answer: VaultAnswer, _ call: String) throws(VaultError) {
        guard let auth = answer.auth, let lease = auth["lease_duration"]?.integer,
            let token = try auth["client_token"]?.withSecret({ (bytes) throws(VaultError) in
                VaultToken(try SecretText.copy(bytes))
            })
        else { throw Grant.malformed(call) }
        self.init(
            token, lease: lease, whole: lease, isRenewable: auth["renewable"]?.bool, uses: auth["num_uses"]?.integer)
    }

    /// Of a token that was looked up.
    ///
    /// - Throws: `answer`.
    init(_ token: VaultToken, lookup answer: VaultAnswer) throws(VaultError) {
        guard let data = answer.data, let lease = data["ttl"]?.integer else { throw Grant.malformed("lookup-self") }
        // `ttl` is what is left. Asking for that would shorten the life of a token that others may use as well.
        let period = data["period"]?.integer ?? 0
        self.init(
            token, lease: lease, whole: period > 0 ? period : data["creation_ttl"]?.integer ?? 0,
            isRenewable: data["renewable"]?.bool, uses: data["num_uses"]?.integer)
    }

    private init(_ token: VaultToken, lease: Int, whole: Int, isRenewable: Bool?, uses: Int?) {
        func duration(_ seconds: Int) -> Duration? { seconds > 0 ? .seconds(min(seconds, 1 << 32)) : nil }
        self.token = token
        self.lease = duration(lease)
        increment = duration(whole)
        self.isRenewable = isRenewable ?? false
        self.uses = uses.flatMap { $0 > 0 ? $0 : nil }
    }

    private static func malformed(_ call: String) -> VaultError {
        VaultError(
            .answer, "\(call): the answer has no token, or no lease", hint: "is this Vault's address?",
            errorClass: .reopen)
    }
}
