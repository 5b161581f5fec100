import Crypto
import Glibc
import Keyring
import Synchronization
import TestSupport
import Testing

@testable import KMSServer

/// Encrypts by turning every bit.
private final class TurningService: KeyService {
    let publication = CurrentPublication(keyID: "test/1/k/p", annotation: [1, 2, 3])

    func status() throws(ServiceError) -> CurrentPublication { publication }

    func encrypt(_ plaintext: UnsafeRawBufferPointer, api: KMSAPI) throws(ServiceError) -> Encrypted {
        Encrypted(ciphertext: plaintext.map { ~$0 }, publication: publication)
    }

    func decrypt(
        _ ciphertext: UnsafeRawBufferPointer, keyID: UnsafeRawBufferPointer?, api: KMSAPI
    ) throws(ServiceError) -> Decrypted {
        if let keyID, !keyID.elementsEqual("test/1/k/p".utf8) {
            throw ServiceError(.notFound, "no KEK \u{1b}[31m of this name")
        }
        do {
            return .plaintext(
                Plaintext(
                    try SecretBytes(count: ciphertext.count) { memory in
                        for (index, byte) in ciphertext.enumerated() { memory[index] = ~byte }
                    }))
        } catch {
            throw ServiceError(.internalError, "\(error)")
        }
    }

    func decrypt(_ cold: ColdDecryption, until: ContinuousClock.Instant) async throws(ServiceError) -> Plaintext {
        throw ServiceError(.unavailable, "nothing is cold")
    }
}

private final class RecordingControl: ControlService {
    let stops = Mutex(0)

    func report(until: ContinuousClock.Instant) async -> [UInt8] { Array("{\"a\": 1}".utf8) }
    func reseal(_ options: ResealOptions, until: ContinuousClock.Instant) async throws(KeyringError) -> [UInt8] {
        throw KeyringError(.reseal, "not here")
    }
    func requestStop() { stops.withLock { $0 += 1 } }
}

@Suite("The client and the project's own server", .serialized)
struct OwnServerTests {
    private func with(_ body: (TestScope, KMSClient, RecordingControl) async throws -> Void) async throws {
        try await TestScope.with { scope in
            let socket = SocketConfiguration(path: scope.path("kms.sock"), allowUsers: [getuid()])
            // Its folder has to be one of its own.
            try Files.makeDirectory(scope.path("control"))
            let controlSocket = SocketConfiguration(path: scope.path("control/s"), allowUsers: [getuid()])
            let control = RecordingControl()
            let server = Server(
                ServerConfiguration(socket: socket, control: controlSocket, runtimeVersion: "0"),
                service: TurningService(), control: control, log: .none)
            try server.start()
            do {
                try await body(scope, try KMSClient(socket: scope.path("kms.sock"), timeout: .seconds(20)), control)
            } catch {
                _ = server.stop(until: .now + .seconds(20))
                throw error
            }
            #expect(server.stop(until: .now + .seconds(20)))
        }
    }

    @Test("agree in both APIs, without a violation")
    func apis() async throws {
        try await with { _, client, _ in
            let status = try client.status()
            #expect(status == StatusAnswer(version: "v2", healthz: "ok", keyID: "test/1/k/p", violations: []))
            #expect(try client.v1Version().violations.isEmpty)
            for count in [1, 31, 32, 1024] {
                let plaintext = try SecretBytes(randomCount: count)
                let sealed = try client.encrypt(plaintext)
                #expect(sealed.violations.isEmpty && sealed.keyID == status.keyID)
                #expect(sealed.annotations == [KMSAnnotation(key: "kek.trousseau", value: [1, 2, 3])])
                let opened = try client.decrypt(
                    sealed.ciphertext, keyID: sealed.keyID, annotations: sealed.annotations)
                let v1Opened = try client.v1Decrypt(try client.v1Encrypt(plaintext).cipher)
                let isSame = opened.isEqual(to: plaintext) && v1Opened.isEqual(to: plaintext)
                #expect(isSame)
            }
        }
    }

    @Test("pass the service's refusals on")
    func refusals() async throws {
        try await with { _, client, _ in
            let error = #expect(throws: ClientError.self) {
                _ = try client.decrypt([1], keyID: "other", annotations: [])
            }
            #expect(error?.code == .refused)
            #expect(error?.message == "Decrypt: NOT_FOUND: no KEK \\u{1b}[31m of this name")
        }
    }

    @Test("speak over the control socket")
    func control() async throws {
        try await with { scope, _, control in
            let socket = scope.path("control/s")
            #expect(try ControlClient.report(socket: socket, timeout: .seconds(20)) == Array("{\"a\": 1}".utf8))
            try ControlClient.stop(socket: socket, timeout: .seconds(20))
            try await eventually("the stop arrives", within: .seconds(20)) { control.stops.withLock { $0 } == 1 }
            // The KMS socket does not have the service.
            let error = #expect(throws: ClientError.self) {
                try ControlClient.stop(socket: scope.path("kms.sock"), timeout: .seconds(20))
            }
            #expect(error?.code == .unimplemented)
        }
    }

    @Test("sustain a load", arguments: LoadOperation.Method.allCases)
    func load(_ method: LoadOperation.Method) async throws {
        try await with { scope, _, _ in
            let socket = scope.path("kms.sock")
            let generator = try LoadGenerator(
                try LoadOperation(method, socket: socket, timeout: .seconds(20)), socket: socket, concurrency: 64,
                connections: 7, timeout: .seconds(20))
            let result = generator.run(for: .milliseconds(300))
            #expect(result.errors == 0, "\(result.sampleError ?? "")")
            #expect(result.calls > 64)
        }
    }
}
