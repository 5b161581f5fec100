import Crypto
import Keyring
import RecoveryBackend
import TestSupport
import Testing

extension RecoveryBackendSuites {
    @Suite("a seal to a recovery key")
    struct SealTests {
        /// As docs/formats.md says it: the KEK, then SHA-256 over domain and kekID, each with its length before it.
        private func content(_ kek: KEK) throws -> [UInt8] {
            let domain = Array("trousseau recovery seal v1".utf8)
            let context = [0, 0, 0, UInt8(domain.count)] + domain + [0, 0, 0, 32] + kek.id.bytes
            return bytes(kek) + (try SHA256.hash(context))
        }

        @Test(
            "opens with openssl cms -decrypt, to what the format says; it is small and holds no certificate",
            arguments: RecoveryKeyType.allCases)
        func opensslOpensIt(_ type: RecoveryKeyType) async throws {
            let sizes: [RecoveryKeyType: Int] = [.p256: 342, .p384: 374, .rsa3072: 636, .rsa4096: 764]
            let wanted =
                type == .p256 || type == .p384
                ? ["dhSinglePass-stdDH-sha256kdf-scheme", "id-aes256-wrap"] : ["rsaesOaep", ":mgf1", ":sha256"]
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                try await openssl.key(type)
                let certificate = try await openssl.certificate()
                for file in [certificate, try await openssl.publicKey()] {
                    let kek = try KEK.generate()
                    let seal = try await RecoveryBackend.make(file).seal(kek)
                    #expect(seal.kekID == kek.id && seal.recipient.kind == "recovery")
                    #expect(try await openssl.decrypt(seal) == content(kek))
                    #expect(try await openssl.decrypt(seal, "offline", ["-recip", certificate]) == content(kek))
                    #expect(seal.bytes.count == sizes[type])
                    let text = try await openssl.run(
                        "cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", "seal.der"
                    ).output
                    for word in wanted + ["authEnvelopedData", "aes-256-gcm", "subjectKeyIdentifier"] {
                        #expect(text.contains(word), "\(word) in \(text)")
                    }
                    #expect(!text.contains("issuer"))
                }
            }
        }

        @Test(
            "opens with the private key in hand, and is never the same twice",
            arguments: [RecoveryKeyType.p384, .rsa3072])
        func roundTrip(_ type: RecoveryKeyType) async throws {
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                try await openssl.key(type)
                let backend = try RecoveryBackend.make(try await openssl.certificate())
                let offline = try OfflineKeyBackend.read(scope)
                let kek = try KEK.generate()
                let first = try await backend.seal(kek)
                let second = try await backend.seal(kek)
                #expect(first.bytes != second.bytes)
                #expect(offline.serves(first.recipient) && !offline.isAuthenticated(first))
                #expect(bytes(try await offline.open(first)) == bytes(kek))
                #expect(bytes(try await offline.open(second)) == bytes(kek))
            }
        }

        @Test(
            "that is damaged never opens to another KEK, and nobody learns why it does not",
            arguments: [RecoveryKeyType.p256, .rsa3072])
        func damage(_ type: RecoveryKeyType) async throws {
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                try await openssl.key(type)
                let offline = try OfflineKeyBackend.read(scope)
                let kek = try KEK.generate()
                let seal = try await RecoveryBackend.make(try await openssl.publicKey()).seal(kek)
                var refused = 0
                func check(_ damaged: [UInt8]) async throws {
                    let other = Seal(recipient: seal.recipient, kekID: seal.kekID, bytes: damaged)
                    do throws(SealingError) {
                        // Not every byte of CMS says something.
                        #expect(try await offline.unseal(other, until: .now + .seconds(60)).id == kek.id)
                    } catch {
                        #expect(error.errorClass == .permanent)
                        #expect(error.message == "recovery seal: it does not open with this key")
                        refused += 1
                    }
                }
                for index in seal.bytes.indices {
                    var damaged = seal.bytes
                    damaged[index] ^= UInt8(1 << (index % 8))
                    try await check(damaged)
                }
                #expect(refused > seal.bytes.count * 9 / 10)
                refused = 0
                let cuts = stride(from: 0, to: seal.bytes.count, by: 7)
                for count in cuts { try await check(Array(seal.bytes.prefix(count))) }
                try await check(seal.bytes + [0])
                try await check([UInt8](repeating: 0x30, count: 2049))
                #expect(refused == Array(cuts).count + 2)
            }
        }

        @Test("does not open with another key, nor under another kekID")
        func otherKey() async throws {
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                try await openssl.key(.p384)
                let (kek, other) = (try KEK.generate(), try KEK.generate())
                let seal = try await RecoveryBackend.make(try await openssl.publicKey()).seal(kek)
                for type in [RecoveryKeyType.p384, .rsa3072] {
                    try await openssl.key(type, "other")
                    let offline = try OfflineKeyBackend.read(scope, "other")
                    #expect(!offline.serves(seal.recipient))
                    #expect(await sealingError { _ = try await offline.open(seal) }?.errorClass == .permanent)
                }
                let offline = try OfflineKeyBackend.read(scope)
                let moved = Seal(recipient: seal.recipient, kekID: other.id, bytes: seal.bytes)
                #expect(await sealingError { _ = try await offline.open(moved) }?.errorClass == .permanent)
            }
        }

        @Test("made by openssl opens when its content is right; other messages to the key do not")
        func foreignSeals() async throws {
            try await TestScope.with { scope in
                let openssl = OpenSSL(scope: scope)
                try await openssl.key(.p256)
                let file = try await openssl.certificate()
                let backend = try RecoveryBackend.make(file)
                let offline = try OfflineKeyBackend.read(scope)
                let kek = try KEK.generate()
                let recipient = try await backend.recipient()
                func foreign(_ content: [UInt8], _ cipher: String) async throws -> Seal {
                    try Files.write(content, to: scope.path("content"))
                    try await openssl.run(
                        "cms", "-encrypt", "-binary", cipher, "-in", "content", "-outform", "DER", "-out", "foreign",
                        "-recip", file, "-keyopt", "ecdh_kdf_md:sha256")
                    return Seal(recipient: recipient, kekID: kek.id, bytes: try Files.read(scope.path("foreign")))
                }
                #expect(try await offline.open(try await foreign(content(kek), "-aes-256-gcm")).id == kek.id)
                for (content, cipher) in [
                    (bytes(kek), "-aes-256-gcm"), (try content(KEK.generate()), "-aes-256-gcm"),
                    (try content(kek) + [0], "-aes-256-gcm"), (try content(kek), "-aes-256-cbc"), ([], "-aes-256-gcm"),
                ] {
                    let seal = try await foreign(content, cipher)
                    #expect(await sealingError { _ = try await offline.open(seal) }?.errorClass == .permanent)
                }
            }
        }
    }
}
