import TestSupport
import Testing

/// A node that has an HSM and a login at a Vault; its configuration names what a test wants of them.
struct VaultNode {
    let node: Node
    let standIn: VaultStandIn
    let certificates: Certificates
    /// What must be written nowhere.
    let secrets: [String]

    static func make(_ scope: TestScope, _ options: Node.Options = Node.Options()) async throws -> VaultNode {
        let node = try await Node.make(scope, options)
        let certificates = try await Certificates.make(scope)
        try await certificates.issue("server", names: "IP:127.0.0.1")
        let standIn = try await VaultStandIn.start(scope, certificates: certificates, root: "root-of-the-test")
        let login = try standIn.prepare(credentialsIn: scope.directory)
        return VaultNode(
            node: node, standIn: standIn, certificates: certificates,
            secrets: [login["secret_id"].string, login["role_id"].string])
    }

    var backend: String { backend(deadline: "5s") }

    func backend(deadline: String) -> String {
        """
        - name: vault
          deadline: \(deadline)
          vault:
            address: "https://127.0.0.1:\(standIn.port)"
            key: trousseau
            appRole: {roleIDFile: \(node.scope.path("role-id")), secretIDFile: \(node.scope.path("secret-id"))}
            tls: {caFile: \(certificates.authority)}

        """
    }

    var hsm: String {
        """
        - name: rack-hsm
          deadline: 2s
          pkcs11: {module: \(node.token.module), key: "\(node.token.uri)", pinSource: \(node.token.pinFile)}

        """
    }

    /// Replaces the backends of the configuration.
    func configure(_ backends: [String]) throws {
        let head = node.text(Node.Options()).split(separator: "backends:\n").first ?? ""
        try Files.write(head + "backends:\n" + backends.joined(), to: node.configuration)
    }
}

extension VaultStandIn {
    /// What docs/vault.md says is to be made in a new Vault, and the files `role-id` and `secret-id`.
    ///
    /// - Returns: `secret_id` and `role_id`, which must be written nowhere else.
    @discardableResult
    func prepare(credentialsIn folder: String) throws -> JSON {
        let document = try Files.readText(PackageSources.root + "/docs/vault.md")
        let policy = try #require(document.firstMatch(of: /```hcl\n((?s:.*?))```/)).output.1
        let login = try JSON(parsing: control("prepare", JSON.object(["policy": .string(String(policy))]).text))
        try Files.write(login["role_id"].string, to: folder + "/role-id")
        try Files.write(login["secret_id"].string, to: folder + "/secret-id")
        return login
    }
}
