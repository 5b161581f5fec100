import Glibc
import Synchronization
import TestSupport
import Testing

extension Device {
    /// The node's token; `folder` is its own in SoftHSM's store.
    static func hsm(_ name: String, _ node: Node, folder: String) async throws -> Device {
        let (token, shim) = (node.token, try #require(node.shim))
        let pin = node.scope.path("\(name).pin")
        let right = try Files.read(token.pinFile)
        try Files.write(right, to: pin)
        let (there, away) = ("\(token.folder)/\(folder)", node.scope.path("\(name).away"))
        let other = node.scope.path("\(name).other")
        return Device(name: name) { deadline in
            """
            - name: \(name)
              deadline: \(deadline)
              pkcs11: {module: \(node.module), key: "\(token.uri)", pinSource: \(pin)}

            """
        } play: { condition in
            switch condition {
            case .up: break
            case .down: try Files.move(there, to: away)
            case .wrongCredentials: try Files.write("wrong-4711", to: pin)
            case .slow: try shim.script("at C_Decrypt * hang", "at C_Encrypt * hang")
            case .lying:
                // Another key of the same name, on the same token. It is made once.
                try await run("cp", ["-a", there, away])
                if Files.exists(other) {
                    try Files.remove(there)
                    try Files.move(other, to: there)
                } else {
                    _ = try await token.tool(["--delete-object", "--type", "secrkey", "--label", "kek-sealer"])
                    _ = try await token.tool([
                        "--keygen", "--key-type", "AES:32", "--label", "kek-sealer", "--sensitive",
                    ])
                }
            }
        } mend: { condition in
            switch condition {
            case .up: break
            case .down: try Files.move(away, to: there)
            case .wrongCredentials: try Files.write(right, to: pin)
            case .slow: try shim.calm()
            case .lying:
                try Files.move(there, to: other)
                try Files.move(away, to: there)
            }
        }
    }

    /// swtpm with a PIN, which a restart finds at the same socket.
    static func tpm(_ name: String, _ scope: TestScope) async throws -> Device {
        let tpm = Shared(try await SoftTPM.start(scope, name))
        try await tolerateGuesses(tpm.value)
        let (folder, away, other) = (scope.path(name), scope.path("\(name).away"), scope.path("\(name).other"))
        let pin = scope.path("\(name).pin")
        try Files.write("right-4711", to: pin)
        return Device(name: name) { deadline in
            """
            - name: \(name)
              deadline: \(deadline)
              tpm: {device: "\(tpm.value.tcti)", pinSource: \(pin)}

            """
        } play: { condition in
            switch condition {
            case .up: break
            case .down: try await tpm.value.stop()
            case .slow: tpm.value.send(SIGSTOP)
            case .wrongCredentials: try Files.write("wrong-4711", to: pin)
            case .lying:
                // Another TPM, made once.
                try await tpm.value.stop()
                try Files.move(folder, to: away)
                let isNew = !Files.exists(other)
                if !isNew { try Files.move(other, to: folder) }
                tpm.value = try await SoftTPM.start(scope, name)
                if isNew { try await tolerateGuesses(tpm.value) }
            }
        } mend: { condition in
            switch condition {
            case .up: break
            case .down: tpm.value = try await SoftTPM.start(scope, name)
            case .slow: tpm.value.send(SIGCONT)
            case .wrongCredentials: try Files.write("right-4711", to: pin)
            case .lying:
                try await tpm.value.stop()
                try Files.move(folder, to: other)
                try Files.move(away, to: folder)
                tpm.value = try await SoftTPM.start(scope, name)
            }
        }
    }

    /// A wrong PIN counts, and so does being killed; these TPMs see many of both.
    private static func tolerateGuesses(_ tpm: SoftTPM) async throws {
        try await tpm.tool("tpm2_dictionarylockout", "--setup-parameters", "--max-tries=1000")
    }

    private final class Shared: Sendable {
        private let state: Mutex<SoftTPM>
        init(_ tpm: SoftTPM) { state = Mutex(tpm) }
        var value: SoftTPM {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    private static func run(_ command: String, _ arguments: [String]) async throws {
        let result = try await ChildProcess.run(command, arguments)
        guard result.succeeded else { throw TestError("\(command): \(result.text)") }
    }

    /// Vault's stand-in.
    static func vault(_ vault: VaultNode) -> Device {
        let (standIn, secretID) = (vault.standIn, vault.node.scope.path("secret-id"))
        let right = vault.secrets[0]
        let other = String(repeating: "q", count: 42) + "o="
        return Device(name: "vault") {
            vault.backend(deadline: $0)
        } play: { condition in
            switch condition {
            case .up: break
            case .down: try standIn.control("seal", "{\"sealed\":true}")
            // Its connections are accepted by the kernel, and nobody answers.
            case .slow: standIn.process.send(SIGSTOP)
            case .wrongCredentials:
                try standIn.control("revoke")
                try Files.write("wrong-4711", to: secretID)
            // Whatever it opens is 32 bytes of something else.
            case .lying:
                try standIn.fault(
                    "transit/decrypt/",
                    "\"kind\":\"status\",\"status\":200,\"answer\":{\"data\":{\"plaintext\":\"\(other)\"}}")
            }
        } mend: { condition in
            switch condition {
            case .up: break
            case .down: try standIn.control("seal", "{\"sealed\":false}")
            case .slow: standIn.process.send(SIGCONT)
            case .wrongCredentials:
                try Files.write(right, to: secretID)
                try standIn.control("unlock")
            case .lying: try standIn.mend()
            }
        }
    }
}
