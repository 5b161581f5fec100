import Glibc
import TestSupport

/// One machine with an HSM of its own and a configuration, on which the plugin can be set up and started.
struct Node {
    /// What a test may want otherwise than by default.
    struct Options {
        /// Of both sockets: their group may connect as far as their mode says.
        var group: UInt32?
        /// The rest of the socket's mapping.
        var allow = "allowUsers: [0]"
        var allowUnlockedMemory = false
        /// Nil: the token's.
        var pinFile: String?
        var deadline = "2s"
        /// Writes every PKCS#11 call down.
        var isSpied = false
        /// Counts PKCS#11 calls, and plays faults.
        var isShimmed = false
    }

    let scope: TestScope
    let token: SoftToken
    let spy: PKCS11Spy?
    let shim: PKCS11Shim?
    let configuration: String
    let environment: [String: String]

    /// What the plugin takes for the HSM's library.
    var module: String { shim?.module ?? spy?.module ?? token.module }
    var socket: String { scope.path("run/kms.sock") }
    var control: String { scope.path("control/control.sock") }
    var keyring: String { scope.path("keyring") }

    /// A node with a token and a configuration, and nothing else.
    static func make(_ scope: TestScope, _ options: Options = Options()) async throws -> Node {
        let token = try await SoftToken.make(scope)
        let spy = options.isSpied ? try PKCS11Spy(on: token.module, file: scope.path("spy")) : nil
        let shim = options.isShimmed ? try PKCS11Shim(scope, over: token.module) : nil
        try shim?.calm()
        let node = Node(scope: scope, token: token, spy: spy, shim: shim)
        // Other users of the machine have to reach the socket's folder for the plugin to refuse them.
        try Files.changeMode(scope.directory, to: 0o711)
        try Files.makeDirectory(scope.path("run"), mode: 0o755)
        try Files.makeDirectory(scope.path("control"), mode: 0o755)
        try Files.write(node.text(options), to: node.configuration)
        return node
    }

    private init(scope: TestScope, token: SoftToken, spy: PKCS11Spy?, shim: PKCS11Shim?) {
        self.scope = scope
        self.token = token
        self.spy = spy
        self.shim = shim
        configuration = scope.path("config.yaml")
        let modules = [spy?.environment ?? [:], shim?.environment ?? [:]]
        environment = modules.reduce(["SOFTHSM2_CONF": token.configuration]) { $0.merging($1) { $1 } }
    }

    /// The configuration's text.
    func text(_ options: Options) -> String {
        let access = options.group.map { "mode: \"0660\", group: \($0)" } ?? "mode: \"0600\""
        return """
            apiVersion: trousseau/v1alpha1
            kind: PluginConfiguration
            keyring:
              name: e2e
              directory: \(keyring)
            server:
              socket: {path: \(socket), \(access), \(options.allow)}
              control: {path: \(control), \(access)}
              allowUnlockedMemory: \(options.allowUnlockedMemory)
            backends:
            - name: rack-hsm
              deadline: \(options.deadline)
              pkcs11:
                module: \(module)
                key: "\(token.uri)"
                pinSource: \(options.pinFile ?? token.pinFile)

            """
    }

    /// Runs a command that reads the configuration, to its end.
    func run(_ command: String, _ arguments: [String] = []) async throws -> ChildProcess.Result {
        try await ChildProcess.run(
            try Program.path, [command, "--config", configuration] + arguments, environment: environment,
            within: .seconds(60))
    }

    /// Runs `init`.
    ///
    /// - Returns: the key_id that it prints.
    @discardableResult
    func initialize() async throws -> String {
        let result = try await run("init", ["--generate-keys"])
        guard result.succeeded else { throw TestError("init: \(result.exit) \(result.text)") }
        guard let keyID = Node.keyID(in: result.output) else { throw TestError("no key_id: \(result.text)") }
        return keyID
    }

    /// Starts the plugin; returns once its sockets accept, whatever the HSM does.
    func serve(environment extra: [String: String] = [:], wrapper: [String] = []) async throws -> RunningPlugin {
        try await RunningPlugin.start(self, environment: environment.merging(extra) { $1 }, wrapper: wrapper)
    }

    /// A kube-apiserver that is configured for this node's socket.
    func apiServer(
        authority: String = "localhost", user: (uid: UInt32, gid: UInt32)? = nil
    ) async throws -> APIServer {
        try await APIServer.start(scope, socket: socket, authority: authority, user: user)
    }

    /// Runs `body` with a node that was set up, its plugin and a kube-apiserver that has started.
    static func serving<R>(
        _ options: Options = Options(), _ body: (Node, RunningPlugin, APIServer) async throws -> R
    ) async throws -> R {
        try await TestScope.with { scope in
            let node = try await Node.make(scope, options)
            try await node.initialize()
            let plugin = try await node.serve()
            let server = try await node.apiServer()
            try await server.ask("boot")
            return try await body(node, plugin, server)
        }
    }

    /// The first key_id of this keyring in a text.
    static func keyID(in text: String) -> String? {
        text.firstMatch(of: /e2e\/[0-9]+\/[a-z2-7]{16}\/[a-z2-7]{8}/).map { String($0.output) }
    }
}
