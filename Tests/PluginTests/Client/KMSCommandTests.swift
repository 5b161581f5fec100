import TestSupport
import Testing

@testable import Plugin

@Suite("trousseau kms", .serialized)
struct KMSCommandTests {
    private let key = Array("a key of 32 bytes, not very secret".utf8.prefix(32))

    @Test("status shows what the plugin says")
    func status() async throws {
        try await ClientCommand.with("right") { command in
            command.expect(
                try await command.run("kms status"), .success,
                output: "api: v2\nversion: v2\nhealthz: ok\nkeyID: foreign/1\n", errors: "")
            command.expect(
                try await command.run("kms status", ["--api=v1", "--output=json"]), .success,
                output: """
                    {
                      "api": "v1",
                      "version": "v1beta1",
                      "runtimeName": "foreign",
                      "runtimeVersion": "1.0"
                    }

                    """, errors: "")
        }
    }

    @Test(
        "decrypt takes what encrypt printed, from a pipe and from a file", arguments: ["json", "text"], ["v2", "v1"])
    func roundTrip(_ output: String, _ api: String) async throws {
        try await ClientCommand.with("right") { command in
            let encrypted = try await command.run("kms encrypt", ["--api", api, "--output", output], input: key)
            #expect(encrypted.succeeded, "\(encrypted.text)")
            #expect(encrypted.errors.isEmpty)
            let sealed = try SealedText(parsing: Array(encrypted.output.utf8))
            #expect(sealed.ciphertext == key.map { ~$0 } && sealed.api.rawValue == api)
            let decrypted = try await command.run(
                "kms decrypt", ["--api", api], input: Array(encrypted.output.utf8))
            command.expect(decrypted, .success, output: String(decoding: key, as: UTF8.self), errors: "")

            let file = command.scope.path("sealed")
            try Files.write(encrypted.output, to: file)
            let plaintext = try await command.run("kms decrypt", ["--api", api, "--in", file, "--output", "json"])
            let text = "{\n  \"plaintext\": \"YSBrZXkgb2YgMzIgYnl0ZXMsIG5vdCB2ZXJ5IHNlY3I=\"\n}\n"
            command.expect(plaintext, .success, output: text, errors: "")
        }
    }

    @Test(
        "status fails with what kube-apiserver would refuse, and shows the answer nonetheless",
        arguments: [
            ("wrong-version", "Status: kube-apiserver would refuse the answer: the version is \"v1\" instead of v2"),
            ("empty-key-id", "Status: kube-apiserver would refuse the answer: key_id is empty"),
            ("unhealthy", "the plugin is not healthy: \"the HSM\\u{1B}[31m is away\""),
        ])
    func statusViolations(_ behaviour: String, _ reason: String) async throws {
        try await ClientCommand.with(behaviour) { command in
            let result = try await command.run("kms status")
            #expect(result.exit == .code(1))
            #expect(result.errors == "trousseau: kms status: \(reason)\n")
            #expect(result.output.hasPrefix("api: v2\nversion: ") && !result.output.contains("\u{1b}"))
        }
    }

    @Test(
        "encrypt prints nothing that kube-apiserver would discard",
        arguments: [
            ("empty-ciphertext", "Encrypt: kube-apiserver would refuse the answer: the ciphertext is empty"),
            (
                "other-key-id",
                "Encrypt: kube-apiserver would refuse the answer: its key_id is not the one of Status: "
                    + "Status \"foreign/1\", Encrypt \"foreign/9\""
            ),
            ("wrong-version", "Status: kube-apiserver would refuse the answer: the version is \"v1\" instead of v2"),
            ("status-error", "Status: FAILED_PRECONDITION: no key\\u{1b}[2J is open"),
        ])
    func encryptViolations(_ behaviour: String, _ reason: String) async throws {
        try await ClientCommand.with(behaviour) { command in
            let result = try await command.run("kms encrypt", input: key)
            command.expect(result, .failure, errors: "trousseau: kms encrypt: \(reason)\n")
        }
    }

    @Test("encrypt accepts a rotation between Status and Encrypt")
    func rotation() async throws {
        try await ClientCommand.with("rotating") { command in
            let result = try await command.run("kms encrypt", input: key)
            #expect(result.succeeded, "\(result.text)")
            #expect(try SealedText(parsing: Array(result.output.utf8)).keyID == "foreign/2")
        }
    }

    @Test("encrypt and status know v1beta1's version and an empty cipher")
    func v1Violations() async throws {
        try await ClientCommand.with("wrong-version") { command in
            let result = try await command.run("kms status", ["--api=v1"])
            #expect(result.exit == .code(1) && result.errors.contains("the version is \"v1\" instead of v1beta1"))
        }
        try await ClientCommand.with("empty-ciphertext") { command in
            let result = try await command.run("kms encrypt", ["--api=v1"], input: key)
            #expect(result.exit == .code(1) && result.errors.contains("the cipher is empty"))
        }
    }

    @Test("encrypt refuses an input that no KMS carries, before it asks")
    func sizes() async throws {
        try await ClientCommand.with("right") { command in
            let text = "trousseau: kms encrypt: standard input: "
            command.expect(try await command.run("kms encrypt"), .failure, errors: text + "is empty\n")
            let large = try await command.run("kms encrypt", input: Array(repeating: 1, count: 1025))
            command.expect(
                large, .failure,
                errors: text + "is larger than 1024 bytes\n  KMS v2 carries keys, of 32 bytes as a rule\n")
            #expect(try await command.run("kms encrypt", input: Array(repeating: 1, count: 1024)).succeeded)
            let file = command.scope.path("plain")
            try Files.write(Array(repeating: 1, count: 65536), to: file)
            let largeFile = try await command.run("kms encrypt", ["--api=v1", "--in", file])
            #expect(largeFile.exit == .code(1) && largeFile.errors.contains("is larger than 65535 bytes"))
            let missing = try await command.run("kms encrypt", ["--in", file + "x"])
            command.expect(
                missing, .failure, errors: "trousseau: kms encrypt: \"\(file)x\": No such file or directory\n")
            let folder = try await command.run("kms encrypt", ["--in", command.scope.directory])
            #expect(folder.exit == .code(1) && folder.errors.contains("Is a directory"))
        }
    }

    @Test("decrypt refuses what encrypt did not print")
    func otherInput() async throws {
        try await ClientCommand.with("right") { command in
            let garbage = try await command.run("kms decrypt", input: key)
            #expect(garbage.exit == .code(1) && garbage.errors.contains("the input is not what kms encrypt printed"))
            let otherAPI = try await command.run("kms decrypt", input: Array("api: v1\nciphertext: AAAA\n".utf8))
            command.expect(
                otherAPI, .failure,
                errors: "trousseau: kms decrypt: the input was encrypted by KMS v1\n  add --api v1\n")
            let otherKey = Array(#"{"ciphertext": "AAAA", "keyID": "other"}"#.utf8)
            let unknown = try await command.run("kms decrypt", input: otherKey)
            command.expect(
                unknown, .failure, errors: "trousseau: kms decrypt: Decrypt: NOT_FOUND: no such key\n")
        }
    }

    @Test("fails when its output is lost")
    func lostOutput() async throws {
        try await ClientCommand.with("right") { command in
            let program = try Files.executableDirectory() + "/trousseau"
            let result = try await ChildProcess.run(
                "/bin/sh", ["-c", #""$1" kms encrypt --socket "$2" > /dev/full"#, "sh", program, command.socket],
                input: key)
            #expect(result.exit == .code(1))
            #expect(result.errors == "trousseau: kms encrypt: standard output: No space left on device\n")
        }
    }

    @Test("says how long it waited")
    func deadline() async throws {
        try await ClientCommand.with("slow") { command in
            let result = try await command.run("kms status", ["--timeout=1s"])
            command.expect(
                result, .failure,
                errors: """
                    trousseau: kms status: Status: DEADLINE_EXCEEDED: no answer within 1 s
                      the plugin is busy or hangs: see its log

                    """)
        }
    }

    @Test(
        "has an exit code of its own when nobody serves the socket", arguments: ["kms status", "kms encrypt", "bench"])
    func notRunning(_ words: String) async throws {
        try await TestScope.with { scope in
            let command = ClientCommand(socket: scope.path("none"), scope: scope)
            let result = try await command.run(words, input: key)
            #expect(result.exit == .code(5))
            #expect(result.output.isEmpty)
            #expect(result.errors.contains("\(scope.path("none")): cannot connect: No such file or directory\n  "))
        }
    }
}
