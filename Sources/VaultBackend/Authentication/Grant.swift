internal import Keyring

/// A token that Vault gave, and how long it is good.
struct Grant: Sendable {
    let token: VaultToken
    /// From now on; nil: it does not expire.
    let lease: Duration?
    let isRenewable: Bool
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
        self.init(token, lease: lease, isRenewable: auth["renewable"]?.bool, uses: auth["num_uses"]?.integer)
    }

    /// Of a token that was looked up.
    ///
    /// - Throws: `answer`.
    init(_ token: VaultToken, lookup answer: VaultAnswer) throws(VaultError) {
        guard let data = answer.data, let lease = data["ttl"]?.integer else { throw Grant.malformed("lookup-self") }
        self.init(token, lease: lease, isRenewable: data["renewable"]?.bool, uses: data["num_uses"]?.integer)
    }

    private init(_ token: VaultToken, lease: Int, isRenewable: Bool?, uses: Int?) {
        self.token = token
        self.lease = lease > 0 ? .seconds(min(lease, 1 << 32)) : nil
        self.isRenewable = isRenewable ?? false
        self.uses = uses.flatMap { $0 > 0 ? $0 : nil }
    }

    private static func malformed(_ call: String) -> VaultError {
        VaultError(
            .answer, "\(call): the answer has no token, or no lease", hint: "is this Vault's address?",
            errorClass: .reopen)
    }
}
