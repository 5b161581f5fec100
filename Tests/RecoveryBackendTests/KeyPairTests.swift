import Crypto
import Keyring
import RecoveryBackend
import TestSupport
import Testing

extension RecoveryBackendSuites {
    @Suite("a new recovery key")
    struct KeyPairTests {
        private static let passphrase = "correct horse battery staple"

        /// The files as `recovery-key new` writes them.
        private func write(_ pair: borrowing RecoveryKeyPair, _ scope: TestScope) throws {
            try Files.write(pair.privateKey.withUnsafeBytes { Array($0) }, to: scope.path("offline.key"))
            try Files.write(pair.certificate, to: scope.path("recovery.pem"))
            try Files.write(KeyPairTests.passphrase, to: scope.path("passphrase"))
        }

        @Test(
            "opens what was sealed to its certificate: here, and with openssl and the passphrase",
            arguments: [RecoveryKeyType.p256, .p384, .rsa3072])
        func pair(_ type: RecoveryKeyType) async throws {
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                let pair = try RecoveryKeyPair.generate(
                    type, passphrase: try secret(KeyPairTests.passphrase), commonName: "trousseau recovery")
                try write(pair, scope)
                let backend = try RecoveryBackend.make(scope.path("recovery.pem"))
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                #expect(seal.recipient == pair.recipient)

                let content = try await openssl.decrypt(seal, "offline", ["-passin", "file:passphrase"])
                #expect(Array(content.prefix(32)) == bytes(kek))
                let key = try OfflineKey.read(scope.path("offline.key")) { try secret(KeyPairTests.passphrase) }
                #expect(try await OfflineKeyBackend(key).open(seal).id == kek.id)

                // Nothing for doctor to remark.
                #expect(await backend.diagnose(until: .now + .seconds(60)).map(\.severity) == [.ok])
                let text = try await openssl.run("x509", "-in", "recovery.pem", "-noout", "-text").output
                let usage = type == .p256 || type == .p384 ? "Key Agreement" : "Key Encipherment"
                for word in [
                    usage, "CA:FALSE", "Subject Key Identifier", "Dec 31 23:59:59 9999 GMT", "CN = trousseau recovery",
                ] {
                    #expect(text.contains(word), "\(word) in \(text)")
                }
                try await openssl.run(
                    "verify", "-CAfile", "recovery.pem", "-check_ss_sig", "-partial_chain", "recovery.pem")
            }
        }

        @Test("is encrypted by PBES2 with a million rounds of PBKDF2 and AES-256")
        func encryption() async throws {
            try await TestScope.with { scope in
                let pair = try RecoveryKeyPair.generate(
                    .p256, passphrase: try secret(KeyPairTests.passphrase), commonName: "a")
                try write(pair, scope)
                let text = try await OpenSSL(scope: scope).run("asn1parse", "-in", "offline.key").output
                for word in ["PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0F4240"] {
                    #expect(text.contains(word), "\(word) in \(text)")
                }
                #expect(
                    try Files.readText(scope.path("offline.key")).hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"))
            }
        }

        @Test("wants a passphrase of 12 bytes or more, and the same one again")
        func passphrases() async throws {
            try await TestScope.with { scope in
                for text in ["", "eleven char", String(repeating: "x", count: 513)] {
                    #expect {
                        _ = try RecoveryKeyPair.generate(.p256, passphrase: try secret(text), commonName: "a").recipient
                    } throws: { ($0 as? RecoveryError)?.code == .passphrase }
                }
                let pair = try RecoveryKeyPair.generate(
                    .p256, passphrase: try secret(KeyPairTests.passphrase), commonName: "a")
                try write(pair, scope)
                for text in ["correct horse battery stable", ""] {
                    #expect {
                        _ = try OfflineKey.read(scope.path("offline.key")) { try secret(text) }
                    } throws: { ($0 as? RecoveryError)?.code == .passphrase }
                }
                // Whatever asks for the passphrase may fail in its own way.
                #expect(throws: TestError.self) {
                    _ = try OfflineKey.read(scope.path("offline.key")) { throw TestError("no terminal") }
                }
            }
        }

        @Test("is in clear only when that was asked for")
        func unencrypted() async throws {
            try await TestScope.with { scope in
                let pair = try RecoveryKeyPair.generateUnencrypted(.p384, commonName: "a")
                try write(pair, scope)
                #expect(try Files.readText(scope.path("offline.key")).hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
                #expect(try OfflineKeyBackend.read(scope).recipient.id == pair.recipient.id)
            }
        }

        @Test("that is no private key, or a weak one, is refused with its file's name")
        func notAKey() async throws {
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                func code(_ name: String) -> RecoveryError.Code? {
                    do {
                        _ = try OfflineKey.read(scope.path(name)) { throw TestError("a passphrase is asked for") }
                        return nil
                    } catch {
                        guard let error = error as? RecoveryError else { return nil }
                        #expect(error.message.hasPrefix(scope.path(name)) && error.hint != nil)
                        return error.code
                    }
                }
                #expect(code("missing") == .keyFile)
                try await openssl.key(.p256)
                _ = try await openssl.publicKey()
                #expect(code("offline.pub") == .keyFile)
                try await openssl.key(["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "weak")
                #expect(code("weak.key") == .keyRefused)
                try Files.write([], to: scope.path("empty"))
                #expect(code("empty") == .keyFile)
            }
        }
    }
}
