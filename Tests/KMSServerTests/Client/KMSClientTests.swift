import Crypto
import TestSupport
import Testing

@testable import KMSServer

@Suite("The client and a foreign plugin", .serialized)
struct KMSClientTests {
    private static let timeout = Duration.seconds(20)

    private func client(_ plugin: ForeignPlugin, timeout: Duration = KMSClientTests.timeout) throws -> KMSClient {
        try KMSClient(socket: plugin.socket, timeout: timeout)
    }

    @Test("agree in KMS v2")
    func v2() async throws {
        try await TestScope.with { scope in
            let client = try client(try await ForeignPlugin.start("right", in: scope))
            let status = try client.status()
            #expect(status == StatusAnswer(version: "v2", healthz: "ok", keyID: "foreign/1", violations: []))
            #expect(status.isHealthy)
            for count in [0, 1, 16, 32, 1024] {
                let plaintext = try SecretBytes(randomCount: count)
                let sealed = try client.encrypt(plaintext)
                #expect(sealed.ciphertext.count == count)
                #expect(sealed.violations == (count == 0 ? ["the ciphertext is empty"] : []))
                #expect(
                    sealed.annotations == [
                        KMSAnnotation(key: "kek.example", value: [0, 1]), KMSAnnotation(key: "a.b", value: []),
                    ])
                let opened = try client.decrypt(
                    sealed.ciphertext, keyID: sealed.keyID, annotations: sealed.annotations)
                let isSame = opened.isEqual(to: plaintext)
                #expect(isSame)
            }
        }
    }

    @Test("agree in KMS v1beta1")
    func v1() async throws {
        try await TestScope.with { scope in
            let client = try client(try await ForeignPlugin.start("right", in: scope))
            #expect(
                try client.v1Version()
                    == VersionAnswer(version: "v1beta1", runtimeName: "foreign", runtimeVersion: "1.0", violations: []))
            for count in [1, 32, 30000] {
                let plaintext = try SecretBytes(randomCount: count)
                let sealed = try client.v1Encrypt(plaintext)
                #expect(sealed.cipher.count == count && sealed.violations.isEmpty)
                let opened = try client.v1Decrypt(sealed.cipher)
                let isSame = opened.isEqual(to: plaintext)
                #expect(isSame)
            }
        }
    }

    @Test("agree over a socket in the abstract namespace")
    func abstract() async throws {
        try await TestScope.with { scope in
            let name = "@trousseau-test" + scope.directory.replacing("/", with: "-")
            let script = PackageSources.root + "/Tests/KMSServerTests/Client/foreign/plugin.py"
            let process = try scope.start("/usr/bin/python3", [script, name, "right"])
            try await process.waitForOutput("ready", within: .seconds(60))
            #expect(try KMSClient(socket: name, timeout: KMSClientTests.timeout).status().keyID == "foreign/1")
        }
    }

    @Test(
        "show what kube-apiserver would refuse in Status",
        arguments: [
            ("wrong-version", "the version is \"v1\" instead of v2"), ("empty-key-id", "key_id is empty"),
            ("long-key-id", "key_id has 1025 bytes, at most 1024 are allowed"), ("not-utf8", "a text is not UTF-8"),
        ])
    func status(_ behaviour: String, _ violation: String) async throws {
        try await TestScope.with { scope in
            let client = try client(try await ForeignPlugin.start(behaviour, in: scope))
            #expect(try client.status().violations == [violation])
        }
    }

    @Test(
        "show what kube-apiserver would refuse in Encrypt",
        arguments: [
            ("empty-ciphertext", "the ciphertext is empty"),
            ("long-ciphertext", "the ciphertext has 1025 bytes, at most 1024 are allowed"),
            (
                "slash",
                "the annotation key \"example.com/kek\" is not a lower-case domain name of at least two labels"
            ),
            ("one-label", "the annotation key \"kek\" is not a lower-case domain name of at least two labels"),
            ("long-annotations", "the annotations have 32779 bytes, at most 32768 are allowed"),
        ])
    func encrypt(_ behaviour: String, _ violation: String) async throws {
        try await TestScope.with { scope in
            let client = try client(try await ForeignPlugin.start(behaviour, in: scope))
            #expect(try client.encrypt(try SecretBytes(randomCount: 32)).violations == [violation])
        }
    }

    @Test(
        "say how a call failed",
        arguments: [
            ("status-error", ClientError.Code.refused, "Status: FAILED_PRECONDITION: no key\\u{1b}[2J is open"),
            ("garbage", .invalidAnswer, "Status: the answer is not a message of this API"),
            ("exit", .refused, "Status: UNAVAILABLE: the plugin closed the connection"),
        ])
    func failures(_ behaviour: String, _ code: ClientError.Code, _ message: String) async throws {
        try await TestScope.with { scope in
            let client = try client(try await ForeignPlugin.start(behaviour, in: scope))
            let error = #expect(throws: ClientError.self) { try client.status() }
            #expect(error?.code == code)
            #expect(error?.message == message)
        }
    }

    @Test("end a call at its deadline, and can make another one")
    func deadline() async throws {
        try await TestScope.with { scope in
            let client = try client(try await ForeignPlugin.start("slow", in: scope), timeout: .milliseconds(300))
            let begin = ContinuousClock.now
            let error = #expect(throws: ClientError.self) { try client.status() }
            #expect(error?.code == .deadlineExceeded)
            #expect(error?.message == "Status: DEADLINE_EXCEEDED: no answer within 300 ms")
            // Long before the plugin answers.
            #expect(ContinuousClock.now - begin < .seconds(15))
            #expect(throws: ClientError.self) { try client.status() }
        }
    }

    @Test("know a method that the plugin does not have")
    func unimplemented() async throws {
        try await TestScope.with { scope in
            let client = try client(try await ForeignPlugin.start("no-v1", in: scope))
            let error = #expect(throws: ClientError.self) { try client.v1Version() }
            #expect(error?.code == .unimplemented)
        }
    }

    @Test("ignore a proxy that the environment names")
    func proxy() async throws {
        try await TestScope.with { scope in
            let plugin = try await ForeignPlugin.start("right", in: scope)
            let program = try Files.executableDirectory() + "/trousseau"
            let proxies = ["http_proxy": "http://127.0.0.1:1", "grpc_proxy": "http://127.0.0.1:1"]
            let result = try await ChildProcess.run(
                program, ["kms", "status", "--socket", plugin.socket], environment: proxies)
            #expect(result.succeeded, "\(result.text)")
        }
    }
}
