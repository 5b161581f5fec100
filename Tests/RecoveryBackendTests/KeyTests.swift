import Keyring
import RecoveryBackend
import TestSupport
import Testing

extension RecoveryBackendSuites {
    @Suite("the key of a recovery backend")
    struct KeyTests {
        private static let refusals: [(options: [String], reason: String)] = [
            (["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "an RSA key of 2048 bits is not taken"),
            (["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:3072"], "a key of type RSA-PSS is not taken"),
            (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], "an EC key on secp521r1 is not taken"),
            (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "an EC key on secp256k1 is not taken"),
            (
                ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"],
                "an EC key without a named curve is not taken"
            ),
            (["-algorithm", "ED25519"], "a key of type ED25519 is not taken"),
            (["-algorithm", "X25519"], "a key of type X25519 is not taken"),
        ]

        @Test("is refused with a reason when it is of another type or size", arguments: refusals.indices)
        func refused(_ index: Int) async throws {
            let (options, reason) = KeyTests.refusals[index]
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                try await openssl.key(options)
                let file = try await openssl.publicKey()
                let backend = try RecoveryBackend.make(file)
                let error = try #require(await sealingError { _ = try await backend.recipient() })
                #expect(
                    error.message == "\(file): \(reason)" && error.hint != nil && error.errorClass == .operatorMustAct)
                let findings = await backend.diagnose(until: .now + .seconds(60))
                #expect(findings.map(\.severity) == [.error])
            }
        }

        @Test("has to be alone in its file, and public")
        func files() async throws {
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                try await openssl.key(.p256)
                let certificate = try Files.readText(try await openssl.certificate())
                let key = try Files.readText(scope.path("offline.key"))
                let broken = certificate.replacing("MII", with: "XII", maxReplacements: 1)
                let cases = [
                    (certificate + key, "it holds a private key"), (key, "it holds a private key"),
                    (certificate + certificate, "it holds more than one certificate or key"), ("", "it holds no PEM"),
                    ("recovery", "it holds no PEM"), (broken, "the certificate does not parse"),
                    ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "neither a certificate nor"),
                    (String(repeating: "x", count: 70000), "longer than 65536 bytes"),
                ]
                for (text, reason) in cases {
                    try Files.write(text, to: scope.path("file"))
                    let backend = try RecoveryBackend.make(scope.path("file"))
                    let error = try #require(await sealingError { _ = try await backend.recipient() })
                    #expect(error.message.contains(reason) && error.hint != nil, "\(error)")
                }
                try Files.write(certificate, to: scope.path("open"), mode: 0o664)
                let open = try RecoveryBackend.make(scope.path("open"))
                #expect(
                    await sealingError { _ = try await open.recipient() }?.message
                        .contains("others than its owner may write to it") == true)
                let missing = try RecoveryBackend.make(scope.path("missing"))
                let error = try #require(await sealingError { _ = try await missing.recipient() })
                #expect(error.hint?.contains("trousseau recovery-key new") == true)
                #expect(!missing.serves(Recipient(id: "recovery:a", kind: "recovery", description: [])))
                #expect(throws: RecoveryError.self) { try RecoveryBackend.make("recovery.pem") }
            }
        }

        @Test("is one recipient, whatever file holds it; nothing is sealed to another one that took its place")
        func recipient() async throws {
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                try await openssl.key(.p384)
                let backend = try RecoveryBackend.make(try await openssl.certificate())
                let recipient = try await backend.recipient()
                #expect(recipient.id.hasPrefix("recovery:") && recipient.id.count == 9 + 26)
                // version, type, then the certificate's key identifier (20), the key's digest (32) and its subject.
                let description = recipient.description
                #expect(description.starts(with: [1, 1, 4] + Array("p384".utf8) + [2, 20]))
                #expect(description[29...30].elementsEqual([3, 32]))
                #expect(description.dropFirst(63).elementsEqual([4, 10] + Array("CN=Offline".utf8)))

                let others = [
                    try await openssl.publicKey(),
                    try await openssl.certificate(subject: "/CN=Renewed", ["-days", "9"]),
                ]
                for file in others { #expect(try await RecoveryBackend.make(file).recipient().id == recipient.id) }
                try await openssl.run(
                    "ec", "-in", "offline.key", "-pubout", "-conv_form", "compressed", "-out", "short")
                try Files.changeMode(scope.path("short"), to: 0o600)
                #expect(try await RecoveryBackend.make(scope.path("short")).recipient().id == recipient.id)

                try await openssl.key(.p384, "intruder")
                let intruder = try Files.read(try await openssl.publicKey("intruder"))
                try Files.write(intruder, to: scope.path("Offline.pem"))
                let kek = try KEK.generate()
                let error = await sealingError {
                    _ = try await backend.seal(kek, to: recipient, until: .now + .seconds(60))
                }
                #expect(error?.errorClass == .permanent && error?.message.contains("is not recipient") == true)
            }
        }

        @Test("that does not open its seals says so, and how to open them")
        func neverOpens() async throws {
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                try await openssl.key(.p256)
                let backend = try RecoveryBackend.make(try await openssl.publicKey())
                let seal = try await backend.seal(try KEK.generate())
                #expect(!backend.canUnseal && !backend.isAuthenticated(seal) && backend.serves(seal.recipient))
                let error = await sealingError { _ = try await backend.unseal(seal, until: .now + .seconds(60)) }
                #expect(error?.errorClass == .permanent && error?.hint?.contains("trousseau recover") == true)
                try await backend.probe(until: .now + .seconds(60))
            }
        }

        @Test("is described by doctor, with what is odd about its certificate")
        func findings() async throws {
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                try await openssl.key(.p256)
                func details(_ file: String) async throws -> [String] {
                    let findings = await (try RecoveryBackend.make(file)).diagnose(until: .now + .seconds(60))
                    #expect(findings.first?.severity == .ok)
                    #expect(findings.dropFirst().allSatisfy { $0.severity == .warning && $0.hint != nil })
                    return findings.map(\.detail)
                }
                #expect(try await details(try await openssl.publicKey())[0].hasPrefix("p256 key, recipient recovery:"))
                // OpenSSL's default is an authority.
                let authority = try await details(try await openssl.certificate())
                #expect(authority.dropFirst() == ["it is the certificate of an authority (CA:TRUE)"])
                #expect(authority[0].hasPrefix("p256 key of CN=Offline, recipient recovery:"))
                let signer = try await openssl.certificate(
                    subject: "/CN=Signer",
                    ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=digitalSignature"])
                #expect(try await details(signer).dropFirst() == ["its key usage does not name keyAgreement"])
                let request = scope.path("request")
                try await openssl.run("req", "-new", "-key", "offline.key", "-subj", "/CN=Expired", "-out", request)
                try await openssl.run(
                    "x509", "-req", "-in", request, "-signkey", "offline.key", "-days", "-1", "-out", "expired")
                try Files.changeMode(scope.path("expired"), to: 0o600)
                #expect(try await details(scope.path("expired")).contains("the certificate has expired"))
            }
        }
    }
}
