internal import Keyring

/// What an HTTP status of Vault's means. The table is total: every number that is no success has a row, some by their
/// hundred. Login and unsealing have more to say about 400 and 403.
struct StatusFailure: Sendable, Equatable {
    let code: VaultError.Code
    let errorClass: SealingError.Class
    let hint: String?

    init(_ status: Int) {
        self = StatusFailure.table[status] ?? StatusFailure.hundred(status)
    }

    private init(_ code: VaultError.Code, _ errorClass: SealingError.Class, _ hint: String? = nil) {
        self.code = code
        self.errorClass = errorClass
        self.hint = hint
    }

    static let table: [Int: StatusFailure] = [
        400: StatusFailure(.request, .operatorMustAct, "Vault's own words say why"),
        401: StatusFailure(.denied, .operatorMustAct, denied),
        403: StatusFailure(.denied, .operatorMustAct, denied),
        404: StatusFailure(.notFound, .operatorMustAct, "check mount, key and namespace"),
        408: StatusFailure(.busy, .retry),
        // A standby that has not seen yet what the active node wrote.
        412: StatusFailure(.busy, .retry),
        425: StatusFailure(.busy, .retry),
        // A rate limit, or a standby that does not forward.
        429: StatusFailure(.busy, .retry, "Vault limits the rate of requests, or this node is a standby"),
        472: StatusFailure(
            .sealed, .operatorMustAct, "this is a disaster-recovery secondary: name the primary's address"),
        473: StatusFailure(.busy, .retry),
        501: StatusFailure(.sealed, .operatorMustAct, "Vault is not initialised"),
        503: StatusFailure(.sealed, .reopen, "unseal Vault, or wait until its maintenance is over"),
    ]

    /// Vault says everything in JSON: this was a proxy, a load balancer, or another server.
    static let foreign = StatusFailure(
        .answer, .reopen, "something else than Vault answered: check the address, and what stands before Vault")

    /// Whether a server that answers so does not serve, and another one of the same Vault may.
    static func isAway(_ status: Int) -> Bool { status == 472 || 500..<600 ~= status }

    /// Whether Vault says so before it looks at the request, so that a credential in it was not used.
    static func isUntouched(_ status: Int) -> Bool { [472, 501, 503].contains(status) }

    static let denied = "give the token's policy what docs/vault.md lists"

    private static func hundred(_ status: Int) -> StatusFailure {
        switch status {
        case 300..<400:
            StatusFailure(.unreachable, .operatorMustAct, "add the address to otherAddresses if it is this Vault's")
        case 400..<500: StatusFailure(.request, .operatorMustAct, "is this Vault's address?")
        case 500..<600: StatusFailure(.busy, .retry, "Vault's own log says why")
        default: StatusFailure(.answer, .reopen, "is this Vault's address?")
        }
    }
}

extension VaultError {
    /// - Parameters:
    ///   - call: `POST transit/encrypt/kek`.
    ///   - words: Vault's own, made safe to show; nil when the answer has none of Vault's form.
    init(status: Int, _ call: String, _ words: String?) {
        var failure = StatusFailure(status)
        // Nobody but Vault may say that a token, a credential or a seal is no good, or that a key is not there.
        if words == nil, [.request, .denied, .notFound].contains(failure.code) { failure = .foreign }
        self.init(
            failure.code, "\(call): \(status)" + (words.map { $0.isEmpty ? "" : ": \($0)" } ?? ""),
            hint: failure.hint, errorClass: failure.errorClass, status: status, words: words)
    }

    /// The same failure, said of something else.
    func with(code: Code, hint: String?, errorClass: SealingError.Class? = nil) -> VaultError {
        VaultError(
            code, message, hint: hint, errorClass: errorClass ?? self.errorClass, status: status, words: words,
            isUnsent: isUnsent)
    }
}
