internal import Crypto
internal import Keyring
internal import Synchronization

/// How a token is got with what the configuration names.
final class LoginMethod: Sendable {
    let login: VaultConfiguration.Login
    private let client: VaultClient
    private let backend: String
    private let log: Log
    /// The client certificate and its key, where there are some: libcurl reads them.
    private let certificate: (file: SecretFile, key: SecretFile)?
    /// The secret ID that a wrapping token, which is good once, was exchanged for.
    private let unwrapped = Mutex<Unwrapped?>(nil)

    private struct Unwrapped: Sendable {
        /// The wrapping token: its file may be touched, rewritten or, better, removed.
        let wrapping: SecretText.Owned
        let secret: SecretText.Owned
    }

    init(_ configuration: CheckedConfiguration, _ client: VaultClient, _ log: Log) {
        login = configuration.login
        backend = configuration.name
        self.client = client
        self.log = log
        if let file = configuration.transport.certificateFile, let key = configuration.transport.keyFile {
            certificate = (SecretFile(file, mayBePublic: true), SecretFile(key))
        } else {
            certificate = nil
        }
    }

    /// Whether a token can be got at any time; a file has only the one that somebody put there.
    var makesTokens: Bool {
        if case .tokenFile = login { return false }
        return true
    }

    /// For messages and the log: `appRole at auth/approle`.
    var name: String {
        switch login {
        case .tokenFile(let path): "token file \(path)"
        case .appRole(let mount, _, _, _): "appRole at auth/\(mount)"
        case .kubernetes(let mount, let role, _): "kubernetes at auth/\(mount), role \(role)"
        case .jwt(let mount, let role, _): "jwt at auth/\(mount), role \(role)"
        case .certificate(let mount, _): "certificate at auth/\(mount)"
        }
    }

    /// The files with its credentials: each holds one, on one line.
    var files: [SecretFile] {
        switch login {
        case .tokenFile(let path): [SecretFile(path)]
        case .appRole(_, let roleID, let secretID, _):
            [SecretFile(roleID, mayBePublic: true)] + (secretID.map { [SecretFile($0)] } ?? [])
        case .kubernetes(_, _, let path), .jwt(_, _, let path): [SecretFile(path, mayBePublic: true)]
        case .certificate: []
        }
    }

    /// PEM files that are sent or used with it.
    var certificates: [SecretFile] { certificate.map { [$0.file, $0.key] } ?? [] }

    /// Changes when one of the files does.
    var identities: [FileIdentity?] { (files + certificates).map(\.identity) }

    /// Logs in.
    ///
    /// - Throws: `login` with the status when Vault refused the credentials, else what kept it from deciding.
    func perform(until: ContinuousClock.Instant) async throws(VaultError) -> Grant {
        for file in certificates { try file.check() }
        switch login {
        case .tokenFile(let path):
            let token = try VaultToken(copying: SecretFile(path).read().secret)
            do throws(VaultError) {
                return try Grant(
                    token, lookup: try await client.send(.get, "auth/token/lookup-self", token: token, until: until))
            } catch  where error.code == .denied {
                throw error.with(
                    code: .login,
                    hint: "the token in \(path) has expired or was revoked: put a new one there; or its policy lacks "
                        + "auth/token/lookup-self, which Vault's policy default has")
            }
        case .appRole(let mount, let roleID, let secretID, let isWrapped):
            let role = try SecretFile(roleID, mayBePublic: true).read().secret
            let before = try SecretText.join("{\"role_id\":\"", role.bytes, "\"")
            guard let secretID else { return try await post(mount, try SecretText.join("", before, "}"), until) }
            let secret =
                isWrapped ? try await unwrap(secretID, mount, until) : try SecretFile(secretID).read().secret
            let half = try SecretText.join(",\"secret_id\":\"", secret.bytes, "\"}")
            return try await post(mount, try SecretText.concatenate(before, half), until)
        case .kubernetes(let mount, let role, let path), .jwt(let mount, let role, let path):
            let token = try SecretFile(path, mayBePublic: true).read().secret
            return try await post(
                mount, try SecretText.join("{\"role\":\"\(role)\",\"jwt\":\"", token.bytes, "\"}"), until)
        case .certificate(let mount, let role):
            return try await post(
                mount, try SecretText.plain(role.map { "{\"name\":\"\($0)\"}" } ?? "{}"), until)
        }
    }

    private func post(
        _ mount: String, _ body: consuming SecretBytes, _ until: ContinuousClock.Instant
    ) async throws(VaultError) -> Grant {
        let path = "auth/\(mount)/login"
        let body = RequestBody(body)
        do throws(VaultError) {
            // A secret ID may be good for one login.
            return try Grant(
                login: try await client.send(.post, path, body, isOnce: true, until: until), "POST \(path)")
        } catch  where error.isRefusal {
            throw error.with(code: .login, hint: "check the credentials, the role, and that auth/\(mount) is there")
        }
    }

    /// The secret ID of a response-wrapping token. Whoever unwrapped it before this node has the secret ID: that is worth
    /// an alarm and not a retry.
    private func unwrap(
        _ path: String, _ mount: String, _ until: ContinuousClock.Instant
    ) async throws(VaultError) -> SecretText.Owned {
        let known = unwrapped.withLock { $0 }
        do throws(VaultError) {
            let token = try SecretFile(path).read().secret
            if let known, known.wrapping.bytes.isEqual(to: token.bytes) { return known.secret }
            let secret = try await exchange(token, path, mount, until)
            unwrapped.withLock { $0 = Unwrapped(wrapping: token, secret: secret) }
            return secret
        } catch {
            guard let known, error.code == .login || error.code == .credentials else { throw error }
            // The wrapping token has done what it was for. Another one in its place is worth an alarm, all the same.
            if error.code == .login || SecretFile(path).identity != nil {
                log(
                    .warning, "the new wrapped secret ID cannot be used; the one before goes on", ("backend", backend),
                    ("error", error.message), ("hint", error.hint ?? ""))
            }
            return known.secret
        }
    }

    private func exchange(
        _ token: SecretText.Owned, _ path: String, _ mount: String, _ until: ContinuousClock.Instant
    ) async throws(VaultError) -> SecretText.Owned {
        let taken =
            "the wrapped secret ID in \(path) has expired or was used: by an earlier start of this node, by an attempt "
            + "whose answer was lost, or by somebody else, then revoke it; put a new one there"
        do throws(VaultError) {
            let body = RequestBody(try SecretText.join("{\"token\":\"", token.bytes, "\"}"))
            let lookup = try await client.send(.post, "sys/wrapping/lookup", body, until: until)
            let origin = lookup.data?["creation_path"]?.text ?? ""
            guard origin.hasPrefix("auth/\(mount)/role/"), origin.hasSuffix("/secret-id") else {
                throw VaultError(
                    .login,
                    "\(path): it does not wrap a secret ID of auth/\(mount), but what \(ServerText.shorten(origin)) gave",
                    hint: "somebody may have replaced it; make a new one", status: 400)
            }
            let answer = try await client.send(
                .post, "sys/wrapping/unwrap", token: try VaultToken(copying: token), isOnce: true, until: until)
            let secret = try answer.data?["secret_id"]?.withSecret { (bytes) throws(VaultError) in
                SecretText.Owned(try SecretText.copy(bytes))
            }
            guard let secret else {
                throw VaultError(.answer, "sys/wrapping/unwrap: no secret_id", errorClass: .reopen)
            }
            return secret
        } catch  where error.isRefusal && error.code != .login {
            throw error.with(code: .login, hint: taken)
        }
    }
}

extension VaultToken {
    /// A token of what a file holds.
    convenience init(copying secret: SecretText.Owned) throws(VaultError) {
        self.init(try secret.bytes.withUnsafeBytes { (bytes) throws(VaultError) in try SecretText.copy(bytes) })
    }
}
