import Keyring
import TestSupport
import Testing

@testable import VaultBackend

extension VaultBackendSuites {
    @Suite("the way to Vault")
    struct TransportTests {
        private typealias Options = TestVault.Options

        private func error(
            _ vault: TestVault, _ change: (inout VaultConfiguration) throws -> Void
        ) async throws -> SealingError? {
            var configuration = vault.configuration(.tokenFile(vault.scope.path("root-token")))
            try change(&configuration)
            let backend = try vault.backend(configuration)
            let error = await sealingError { _ = try await backend.recipient() }
            await backend.end()
            return error
        }

        @Test("is refused when the certificate is another authority's")
        func wrongAuthority() async throws {
            try await TestVault.with { vault in
                let other = try await Certificates.make(vault.scope, "other")
                let error = try await error(vault) { $0.caFile = other.authority }
                #expect(error?.errorClass == .operatorMustAct && error?.message.contains("certificate") == true)
                #expect(error?.hint?.contains("tls.caFile") == true, "\(error?.description ?? "none")")
                let system = try await self.error(vault) { $0.caFile = nil }
                #expect(system?.errorClass == .operatorMustAct)
                let missing = try await self.error(vault) { $0.caFile = vault.scope.path("none.pem") }
                #expect(missing?.errorClass == .operatorMustAct)
            }
        }

        @Test("is refused when the certificate has another name, and taken with the name that it has")
        func wrongName() async throws {
            let options = Options(needsStandIn: true, names: "DNS:vault.test")
            try await TestVault.with(options) { vault in
                let refused = try await error(vault) { _ in }
                #expect(refused?.errorClass == .operatorMustAct, "\(refused?.description ?? "none")")
                #expect(try vault.played.takeSeen().isEmpty)
                // The key is not there, but that is what the server says.
                let reached = try await error(vault) { $0.serverName = "vault.test" }
                #expect(reached?.message.contains(": 404") == true, "\(reached?.description ?? "none")")
                let other = try await error(vault) { $0.serverName = "vault.example" }
                #expect(other?.errorClass == .operatorMustAct && other?.message.contains(": 404") == false)
            }
        }

        @Test("is refused when the certificate has expired")
        func expired() async throws {
            try await TestVault.with(Options(needsStandIn: true, isExpired: true)) { vault in
                let error = try await error(vault) { _ in }
                #expect(error?.errorClass == .operatorMustAct && error?.message.contains("expired") == true)
                #expect(try vault.played.takeSeen().isEmpty)
            }
        }

        @Test("needs a client certificate where the server wants one")
        func clientCertificate() async throws {
            let options = Options(needsStandIn: true, arguments: ["--require-client-certificate"])
            try await TestVault.with(options) { vault in
                let refused = try await error(vault) { _ in }
                #expect(refused != nil && refused?.message.contains(": 404") == false)
                #expect(refused?.hint?.contains("tls") == true, "\(refused?.description ?? "none")")
                try await Certificates(scope: vault.scope, name: "test").issue("node", names: nil)
                let reached = try await error(vault) {
                    $0.certificateFile = vault.scope.path("node.pem")
                    $0.keyFile = vault.scope.path("node.key")
                }
                #expect(reached?.message.contains(": 404") == true, "\(reached?.description ?? "none")")
                let other = try await error(vault) {
                    $0.certificateFile = vault.scope.path("node.pem")
                    $0.keyFile = vault.scope.path("server.key")
                }
                #expect(other?.errorClass == .operatorMustAct && other?.hint?.contains("keyFile") == true)
            }
        }

        @Test("without TLS leads to this machine only, and that is said")
        func plain() async throws {
            try await TestVault.with(Options(needsStandIn: true, arguments: ["--plain"])) { vault in
                let backend = try await vault.backend()
                #expect(vault.log.count("without TLS") == 1)
                let kek = try KEK.generate()
                #expect(try await backend.open(backend.seal(kek)).id == kek.id)
                let findings = await backend.diagnose(until: soon)
                #expect(findings.contains { $0.severity == .warning && $0.detail.contains("not encrypted") })
                await backend.end()
                // TLS to a server that has none, and the other way round, is no way.
                let error = try await error(vault) { $0.address = "https://127.0.0.1:\(try vault.played.port)" }
                #expect(error?.errorClass == .reopen, "\(error?.description ?? "none")")
            }
        }

        @Test("leads through the proxy of the configuration")
        func proxy() async throws {
            try await TestVault.with(.standIn) { vault in
                let error = try await error(vault) { $0.proxy = "http://127.0.0.1:1" }
                #expect(error?.errorClass == .reopen, "\(error?.description ?? "none")")
            }
        }

        @Test("keeps its connection")
        func reuse() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try await vault.backend()
                let seal = try await backend.seal(try KEK.generate())
                for _ in 0..<20 { _ = try await backend.open(seal) }
                let seen = try vault.played.takeSeen().filter { $0.path.contains("crypt/") }
                #expect(seen.count > 20 && Set(seen.map(\.connection)).count == 1)
                // The server closes it: the next call makes another one.
                try vault.played.fault("/decrypt/", "\"kind\":\"close\"", count: 1)
                let error = await sealingError { _ = try await backend.open(seal) }
                #expect(error == nil || error?.errorClass == .reopen)
                _ = try await backend.open(seal)
                await backend.end()
            }
        }

        @Test("that is closed at the moment is an error of its class at once")
        func closed() async throws {
            try await TestVault.with(.standIn) { vault in
                let port = try Loopback.freePort()
                let refused = try await error(vault) { $0.address = "https://127.0.0.1:\(port)" }
                #expect(refused?.errorClass == .reopen && refused?.message.contains("127.0.0.1:\(port)") == true)
                let unknown = try await error(vault) { $0.address = "https://vault.invalid:8200" }
                #expect(unknown?.errorClass == .reopen, "\(unknown?.description ?? "none")")
            }
        }

        @Test(
            "on which nobody answers in time ends at the caller's deadline",
            arguments: ["/encrypt/", "/login", "/keys/"])
        func hang(_ path: String) async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try vault.backend(vault.configuration(try await vault.appRole()))
                let kek = try KEK.generate()
                if path == "/encrypt/" { _ = try await backend.seal(kek) }
                try vault.played.fault(path, "\"kind\":\"hang\"")
                let start = ContinuousClock.now
                let error = await sealingError {
                    let recipient = try await backend.recipients(
                        generateMissingKey: false, until: start + .milliseconds(400))
                    _ = try await backend.seal(kek, to: recipient[0], until: start + .milliseconds(400))
                }
                #expect(error?.errorClass == .retry, "\(error?.description ?? "none")")
                #expect(ContinuousClock.now - start < .seconds(3))
                try vault.played.mend()
                // A login that nobody waits for may still be on its way.
                try await eventually("it works again", within: .seconds(60)) {
                    await sealingError { _ = try await backend.seal(kek) } == nil
                }
                await backend.end()
            }
        }

        @Test("lets no more than a few requests wait")
        func bounded() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try await vault.backend()
                let seal = try await backend.seal(try KEK.generate())
                try vault.played.fault("/decrypt/", "\"kind\":\"hang\"")
                let until = ContinuousClock.now + .seconds(5)
                let refused = await withTaskGroup(of: Bool.self) { group in
                    for _ in 0..<40 {
                        group.addTask {
                            await sealingError { _ = try await backend.unseal(seal, until: until) }?.message
                                .contains("on their way") == true
                        }
                    }
                    return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                #expect(refused == 40 - Transport.limit)
                try vault.played.mend()
                try await eventually("it works again", within: .seconds(60)) {
                    await sealingError { _ = try await backend.open(seal) } == nil
                }
                await backend.end()
            }
        }

        @Test(
            "on which something else than Vault's answer comes is an error, and no harm",
            arguments: [
                #"{"text":"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"data\":{\"plaintext\":\"QUJD"}"#,
                #"{"text":"HTTP/1.1 200 OK\r\n\r\n{\"data\":{\"plaintext\":\"QUJD"}"#,
                #"{"text":"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"}"#,
                #"{"text":"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"}"#,
                #"{"text":"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}"#,
                #"{"text":"HTTP/1.1 200 OK\r\n\r\n<html>login</html>"}"#,
                #"{"text":"HTTP/1.1 200 OK\r\n\r\n{\"data\":{\"plaintext\":\"QUJD!\"}}"}"#,
                #"{"text":"HTTP/1.1 200 OK\r\n\r\n{\"data\":{\"plaintext\":7}}"}"#,
                #"{"text":"HTTP/1.1 200 OK\r\n\r\n"},{"text":"[[[[[[[[[[","times":50000}"#,
                #"{"text":"HTTP/1.1 200 OK\r\n\r\n\""},{"text":"x","times":3000000}"#,
                #"{"text":"HTTP/1.1 200 OK\r\n"},{"text":"X-A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n","times":20000}"#,
                #"{"text":"SSH-2.0-OpenSSH_9.2\r\n"}"#, #"{"text":""}"#,
            ])
        func garbage(_ pieces: String) async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try await vault.backend()
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                try vault.played.fault("/decrypt/", "\"kind\":\"raw\",\"pieces\":[\(pieces)]")
                let error = await sealingError { _ = try await backend.open(seal) }
                #expect([.reopen, .retry].contains(error?.errorClass), "\(error?.description ?? "none")")
                #expect((error?.message.utf8.count ?? 0) < 600)
                try vault.played.mend()
                #expect(try await backend.open(seal).id == kek.id)
                await backend.end()
            }
        }

        @Test("on which an answer comes byte by byte takes no longer than the deadline")
        func slow() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try await vault.backend()
                let seal = try await backend.seal(try KEK.generate())
                let pieces = Array(repeating: #"{"text":" ","seconds":0.1}"#, count: 300).joined(separator: ",")
                try vault.played.fault(
                    "/decrypt/",
                    "\"kind\":\"raw\",\"pieces\":[{\"text\":\"HTTP/1.1 200 OK\\r\\n\\r\\n\"},\(pieces)]")
                let start = ContinuousClock.now
                let error = await sealingError { _ = try await backend.unseal(seal, until: start + .seconds(1)) }
                #expect(error?.errorClass == .retry)
                #expect(ContinuousClock.now - start < .seconds(4))
                try vault.played.mend()
                await backend.end()
            }
        }

        @Test(
            "on which somebody else than Vault answers 400, or Vault says 400 to something else, condemns no seal",
            arguments: [
                (
                    #"{"text":"HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\n<html>400"}"#,
                    SealingError.Class.reopen
                ),
                (#"{"text":"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"}"#, .reopen),
                (
                    #"{"text":"HTTP/1.1 400 Bad Request\r\nContent-Length: 22\r\n\r\n{\"error\":\"bad request\"}"}"#,
                    .reopen
                ),
                (#"{"text":"HTTP/1.1 400 Bad Request\r\n\r\ninvalid ciphertext"}"#, .reopen),
                (#"{"text":"HTTP/1.1 400 Bad Request\r\n\r\n{\"errors\":[]}"}"#, .operatorMustAct),
                (
                    #"{"text":"HTTP/1.1 400 Bad Request\r\n\r\n{\"errors\":[\"failed to parse JSON input\"]}"}"#,
                    .operatorMustAct
                ),
                (
                    #"{"text":"HTTP/1.1 400 Bad Request\r\n\r\n{\"errors\":[\"invalid ciphertext: no prefix\"]}"}"#,
                    .permanent
                ),
                (
                    #"{"text":"HTTP/1.1 400 Bad Request\r\n\r\n{\"errors\":[\"cipher: message authentication failed\"]}"}"#,
                    .permanent
                ),
            ])
        func badRequest(_ piece: String, _ errorClass: SealingError.Class) async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try await vault.backend()
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                try vault.played.fault("/decrypt/", "\"kind\":\"raw\",\"pieces\":[\(piece)]", count: 1)
                let error = await sealingError { _ = try await backend.open(seal) }
                #expect(error?.errorClass == errorClass, "\(error?.description ?? "none")")
                #expect(try await backend.open(seal).id == kek.id)
                await backend.end()
            }
        }

        @Test(
            "on which Vault says that it cannot now is told by its class",
            arguments: [
                (400, SealingError.Class.operatorMustAct), (405, .operatorMustAct), (412, .retry), (429, .retry),
                (472, .operatorMustAct), (473, .retry), (500, .retry), (501, .operatorMustAct), (502, .retry),
                (503, .reopen), (504, .retry),
            ])
        func statuses(_ status: Int, _ errorClass: SealingError.Class) async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try await vault.backend()
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                try vault.played.fault(
                    "/decrypt/", "\"kind\":\"status\",\"status\":\(status),\"errors\":[\"no luck\"]", count: 1)
                let error = await sealingError { _ = try await backend.open(seal) }
                #expect(error?.errorClass == errorClass, "\(error?.description ?? "none")")
                #expect(vault.log.count("logged in") == 1)
                #expect(try await backend.open(seal).id == kek.id)
                await backend.end()
            }
        }
    }
}
