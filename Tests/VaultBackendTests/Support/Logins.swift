import TestSupport

@testable import VaultBackend

/// Ways to log in, set up on the server by its operator.
extension TestVault {
    /// Enables a method under the test's own name.
    func enable(_ type: String) async throws {
        try await asRoot(.post, "sys/auth/\(mount)", "{\"type\":\"\(type)\"}")
    }

    /// A role for AppRole with the policy; files with its role ID and a secret ID.
    ///
    /// - Parameter options: of the role, as JSON members.
    func appRole(_ options: String = "\"token_ttl\":\"1h\"", isWrapped: Bool = false) async throws
        -> VaultConfiguration.Login
    {
        try await enable("approle")
        let role = "auth/\(mount)/role/node"
        try await asRoot(.post, role, "{\"token_policies\":[\"\(policy)\"],\(options)}")
        let answer = try await asRoot(.get, "\(role)/role-id")
        try Files.write((answer.data?["role_id"]?.text ?? "") + "\n", to: scope.path("role-id"), mode: 0o644)
        try Files.write(try await secretID(isWrapped: isWrapped), to: scope.path("secret-id"))
        return .appRole(
            mount: mount, roleIDFile: scope.path("role-id"), secretIDFile: scope.path("secret-id"),
            isWrapped: isWrapped)
    }

    /// The same once more in one test: a role of the same name, with new credentials.
    func appRoleAgain(
        _ options: String = "\"token_ttl\":\"1h\"", isWrapped: Bool = false
    ) async throws -> VaultConfiguration.Login {
        _ = try? await asRoot(.delete, "sys/auth/\(mount)")
        return try await appRole(options, isWrapped: isWrapped)
    }

    /// A new secret ID of that role, or the token that wraps it.
    func secretID(isWrapped: Bool = false) async throws -> String {
        let path = "auth/\(mount)/role/node/secret-id"
        guard isWrapped else {
            guard let secret = try await asRoot(.post, path, "{}").data?["secret_id"]?.text else {
                throw TestError("no secret ID")
            }
            return secret
        }
        return try await wrap(path)
    }

    /// A token that wraps the answer of a path.
    func wrap(_ path: String) async throws -> String {
        var configuration = VaultConfiguration(
            name: "wrapper", address: address, key: "none", login: .tokenFile("/none"))
        configuration.caFile = caFile
        let client = VaultClient(try CheckedConfiguration(configuration), headers: ["X-Vault-Wrap-TTL: 120"])
        let answer = try await client.send(.post, path, token: root, until: soon)
        await client.stop()
        guard let token = answer.document?.root["wrap_info"]?["token"]?.text else { throw TestError("not wrapped") }
        return token
    }

    /// A role for the methods that the stand-in alone can play: it is told which signed tokens are good.
    func signedRole(_ type: String, tokens: [String]) async throws {
        try await enable(type)
        let list = tokens.map { JSONText.quote($0) }.joined(separator: ",")
        try await asRoot(
            .post, "auth/\(mount)/role/node",
            "{\"token_policies\":[\"\(policy)\"],\"token_ttl\":\"1h\",\"stand_in_tokens\":[\(list)]}")
    }

    /// Revokes a token, as an operator does.
    func revoke(_ token: String) async throws {
        try await asRoot(.post, "auth/token/revoke", "{\"token\":\"\(token)\"}")
    }
}
