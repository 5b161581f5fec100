import Glibc
import Keyring
import TestSupport

@testable import VaultBackend

/// The Vault under test, with an engine, a key, a policy and a login of the test's own: the stand-in, or a real server
/// where TROUSSEAU_TEST_VAULT_ADDR and TROUSSEAU_TEST_VAULT_TOKEN are set (and TROUSSEAU_TEST_VAULT_CACERT for its TLS).
///
/// Tests that need faults, clocks or a server of their own ask for the stand-in and get it always.
struct TestVault: Sendable {
    let scope: TestScope
    let address: String
    let caFile: String
    /// Nil: a real server.
    let standIn: VaultStandIn?
    let admin: VaultClient
    let root: VaultToken
    /// What distinguishes this test's things on a server.
    let tag: String
    let log: LogRecorder

    var mount: String { "trousseau-test-\(tag)" }
    var key: String { "kek-sealer" }
    var policy: String { "trousseau-test-\(tag)" }

    /// What a test wants otherwise than by default.
    struct Options: Sendable {
        /// Whether it needs what only the stand-in does.
        var needsStandIn = false
        /// Of the stand-in.
        var arguments: [String] = []
        var names = "IP:127.0.0.1,DNS:vault.test"
        var isExpired = false
        var keyOptions = "{\"type\":\"aes256-gcm96\"}"

        static let standIn = Options(needsStandIn: true)
    }

    /// Runs `body` with a server that has the engine, the key and the policy; cleans up on a real one.
    static func with<R>(
        _ options: Options = Options(), _ body: (TestVault) async throws -> R
    ) async throws -> R {
        try await TestScope.with { scope in
            let vault = try await make(scope, options)
            do {
                try await vault.prepare(options)
                let result = try await body(vault)
                try await vault.cleanUp()
                return result
            } catch {
                try? await vault.cleanUp()
                throw error
            }
        }
    }

    private static func make(_ scope: TestScope, _ options: Options) async throws -> TestVault {
        let tag = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        if !options.needsStandIn, let address = variable("ADDR"), let token = variable("TOKEN") {
            let ca = scope.path("ca.pem")
            guard let given = variable("CACERT") else { throw TestError("TROUSSEAU_TEST_VAULT_CACERT is not set") }
            try Files.write(try Files.read(given), to: ca)
            return try TestVault(scope, address, ca, nil, token, tag)
        }
        let certificates = try await Certificates.make(scope)
        try await certificates.issue("server", names: options.names, isExpired: options.isExpired)
        let root = "s." + String(UInt64.random(in: 0...UInt64.max), radix: 36) + "rootroot"
        let standIn = try await VaultStandIn.start(
            scope, certificates: certificates, root: root, options: options.arguments)
        let scheme = options.arguments.contains("--plain") ? "http" : "https"
        return try TestVault(
            scope, "\(scheme)://127.0.0.1:\(standIn.port)", certificates.authority, standIn, root, tag)
    }

    private init(
        _ scope: TestScope, _ address: String, _ caFile: String, _ standIn: VaultStandIn?, _ root: String, _ tag: String
    ) throws {
        self.scope = scope
        self.address = address
        self.caFile = caFile
        self.standIn = standIn
        self.tag = tag
        log = LogRecorder()
        let file = scope.path("root-token")
        try Files.write(root, to: file)
        self.root = try VaultToken(copying: try SecretFile(file).read().secret)
        var configuration = VaultConfiguration(name: "admin", address: address, key: "none", login: .tokenFile(file))
        configuration.caFile = caFile
        admin = VaultClient(try CheckedConfiguration(configuration))
    }

    private static func variable(_ name: String) -> String? {
        getenv("TROUSSEAU_TEST_VAULT_\(name)").map { String(cString: $0) }
    }

    /// A call as Vault's operator.
    @discardableResult
    func asRoot(
        _ method: HTTPRequest.Method, _ path: String, _ json: String? = nil
    ) async throws -> VaultAnswer {
        let body = try json.map { RequestBody(try SecretText.plain($0)) }
        return try await admin.send(method, path, body, token: root, until: .now + .seconds(30))
    }

    private func prepare(_ options: Options) async throws {
        guard !options.isExpired, !options.arguments.contains("--require-client-certificate"),
            options.names.contains("127.0.0.1")
        else { return }
        try await asRoot(.post, "sys/mounts/\(mount)", "{\"type\":\"transit\"}")
        try await asRoot(.post, "\(mount)/keys/\(key)", options.keyOptions)
        try await setPolicy(try TestVault.documentedPolicy())
    }

    /// The policy of docs/vault.md, for this test's engine and key.
    static func documentedPolicy() throws -> String {
        let text = try Files.readText(PackageSources.root + "/docs/vault.md")
        guard let block = text.firstMatch(of: /```hcl\n((?s:.*?))```/) else {
            throw TestError("docs/vault.md has no policy")
        }
        return String(block.output.1)
    }

    func setPolicy(_ text: String) async throws {
        let own = text.replacing("transit/", with: "\(mount)/").replacing("/trousseau\"", with: "/\(key)\"")
        try await asRoot(.post, "sys/policies/acl/\(policy)", "{\"policy\":\(JSONText.quote(own))}")
    }

    private func cleanUp() async throws {
        if standIn == nil {
            _ = try? await asRoot(.delete, "sys/mounts/\(mount)")
            _ = try? await asRoot(.delete, "sys/auth/\(mount)")
            _ = try? await asRoot(.delete, "sys/policies/acl/\(policy)")
        }
        await admin.stop()
    }

    /// A file with a new token that has the policy.
    func tokenFile(_ name: String = "token", _ options: String = "\"ttl\":\"1h\"") async throws -> String {
        let file = scope.path(name)
        try Files.write(try await token(options), to: file)
        return file
    }

    /// A new token that has the policy.
    func token(_ options: String = "\"ttl\":\"1h\"") async throws -> String {
        let answer = try await asRoot(.post, "auth/token/create", "{\"policies\":[\"\(policy)\"],\(options)}")
        guard let token = answer.auth?["client_token"]?.text else { throw TestError("no token") }
        return token
    }

    /// The configuration of a backend for this test's key.
    func configuration(_ login: VaultConfiguration.Login) -> VaultConfiguration {
        var configuration = VaultConfiguration(name: "vault", address: address, key: key, login: login)
        configuration.mount = mount
        configuration.caFile = caFile
        return configuration
    }

    /// A backend that logs into `log`.
    func backend(
        _ configuration: VaultConfiguration, pacing: LoginPacing = LoginPacing()
    ) throws -> VaultBackend {
        try VaultBackend(configuration, log: log.log, pacing: pacing)
    }

    /// A backend with a token in a file.
    func backend() async throws -> VaultBackend {
        try backend(configuration(.tokenFile(try await tokenFile())))
    }

    /// The stand-in; a test that asked for it has it.
    var played: VaultStandIn {
        get throws {
            guard let standIn else { throw TestError("this test needs the stand-in") }
            return standIn
        }
    }
}

extension VaultBackend {
    /// Its one recipient.
    func recipient(generate: Bool = false) async throws -> Recipient {
        let recipients = try await recipients(generateMissingKey: generate, until: soon)
        guard let recipient = recipients.first, recipients.count == 1 else { throw TestError("\(recipients)") }
        return recipient
    }

    /// Seals a KEK to its own recipient.
    func seal(_ kek: KEK) async throws -> Seal { try await seal(kek, to: recipient(), until: soon) }

    /// Opens a seal.
    func open(_ seal: Seal) async throws -> KEK { try await unseal(seal, until: soon) }

    /// Waits for the end of its calls.
    func end() async { await shutdown(until: soon) }
}

/// A deadline that is far on any machine.
var soon: ContinuousClock.Instant { .now + .seconds(30) }

/// What a call throws, as a SealingError.
func sealingError(_ body: () async throws -> Void) async -> SealingError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? SealingError
    }
}
