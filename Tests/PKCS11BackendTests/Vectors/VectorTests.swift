internal import Crypto
internal import TestSupport
internal import Testing

@Suite("known answers, through the mechanisms on real tokens")
struct VectorTests {
    /// Puts a key of known value on the token.
    private static func importSecret(
        _ hexadecimal: String, _ scope: TestScope, _ tool: ([String]) async throws -> Void
    ) async throws {
        let bytes = try #require(Hex.decode(hexadecimal))
        let path = scope.path("key")
        try Files.write(bytes, to: path)
        try await tool([
            "--write-object", path, "--type", "secrkey", "--key-type", "AES:\(bytes.count)", "--label", "kek-sealer",
            "--id", "01", "--usage-decrypt", "--usage-wrap",
        ])
    }

    private static func importPrivateKey(
        _ hexadecimal: String, _ scope: TestScope, _ tool: ([String]) async throws -> Void
    ) async throws {
        let path = scope.path("key.der")
        try Files.write(try #require(Hex.decode(hexadecimal)), to: path)
        try await tool([
            "--write-object", path, "--type", "privkey", "--label", "kek-sealer", "--id", "01", "--usage-decrypt",
        ])
    }

    private static func softDriver(_ scope: TestScope, _ token: SoftToken) async throws -> Driver {
        // Keys that were imported are not protected.
        try await Driver.start(scope, token, environment: ["DRIVER_UNSAFE": "1"])
    }

    @Test("AES-GCM: SP 800-38D")
    func gcm() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            try await VectorTests.importSecret(PublishedVectors.GCM.key, scope) { _ = try await token.tool($0) }
            let driver = try await VectorTests.softDriver(scope, token)
            let (iv, aad) = (PublishedVectors.GCM.iv, PublishedVectors.GCM.aad)
            let sealed = PublishedVectors.GCM.ciphertext + PublishedVectors.GCM.tag
            #expect(
                try await driver.ask("vector gcm-encrypt \(iv) \(aad) \(PublishedVectors.GCM.plaintext)", "vector")
                    == sealed)
            #expect(
                try await driver.ask("vector gcm-decrypt \(iv) \(aad) \(sealed)", "vector")
                    == PublishedVectors.GCM.plaintext)
        }
    }

    @Test("AES key wrap with padding by C_WrapKey: RFC 5649")
    func wrapKey() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            try await VectorTests.importSecret(PublishedVectors.KeyWrap.key, scope) { _ = try await token.tool($0) }
            let driver = try await VectorTests.softDriver(scope, token)
            // SoftHSM 2.6 fills a text up to 8 bytes and wraps the longer one: it opens RFC 5649's texts, and makes those
            // of whole blocks, as ours are.
            for text in PublishedVectors.KeyWrap.texts {
                #expect(
                    try await driver.ask("vector unwrap-by-unwrap-key 210a \(text.wrapped)", "vector") == text.plain)
            }
        }
    }

    @Test("both functions make the same of what a seal holds")
    func wrapAgrees() async throws {
        try await TestScope.with { scope in
            let soft = try await SoftToken.make(scope)
            try await VectorTests.importSecret(PublishedVectors.GCM.key, scope) { _ = try await soft.tool($0) }
            let nss = try await NSSToken.make(scope)
            try await VectorTests.importSecret(PublishedVectors.GCM.key, scope) { try await nss.tool($0) }
            let first = try await VectorTests.softDriver(scope, soft)
            let second = try await nss.driver(scope, ["DRIVER_UNSAFE": "1"])
            let text = PublishedVectors.OAEP.text + PublishedVectors.OAEP.text
            let wrapped = try await first.ask("vector wrap-by-wrap-key 210a \(text)", "vector")
            #expect(wrapped.utf8.count == 2 * 72)
            #expect(try await second.ask("vector wrap-by-encrypt 210b \(text)", "vector") == wrapped)
            #expect(try await second.ask("vector wrap-by-wrap-key 210b \(text)", "vector") == wrapped)
        }
    }

    @Test("AES key wrap with padding by C_Encrypt: RFC 5649")
    func wrapByEncrypt() async throws {
        try await TestScope.with { scope in
            let token = try await NSSToken.make(scope)
            try await VectorTests.importSecret(PublishedVectors.KeyWrap.key, scope) { try await token.tool($0) }
            let driver = try await token.driver(scope, ["DRIVER_UNSAFE": "1"])
            for text in PublishedVectors.KeyWrap.texts {
                #expect(
                    try await driver.ask("vector wrap-by-encrypt 210b \(text.plain)", "vector") == text.wrapped)
                #expect(
                    try await driver.ask("vector unwrap-by-decrypt 210b \(text.wrapped)", "vector") == text.plain)
            }
        }
    }

    @Test("RSA-OAEP with SHA-1: Wycheproof")
    func oaepSHA1() async throws {
        try await TestScope.with { scope in
            let token = try await SoftToken.make(scope)
            let vector = PublishedVectors.OAEP.sha1
            try await VectorTests.importPrivateKey(vector.privateKey, scope) { _ = try await token.tool($0) }
            let driver = try await VectorTests.softDriver(scope, token)
            #expect(
                try await driver.ask("vector oaep-sha1 \(vector.ciphertext)", "vector") == PublishedVectors.OAEP.text)
        }
    }

    @Test("RSA-OAEP with SHA-256: Wycheproof")
    func oaepSHA256() async throws {
        try await TestScope.with { scope in
            let token = try await NSSToken.make(scope)
            let vector = PublishedVectors.OAEP.sha256
            try await VectorTests.importPrivateKey(vector.privateKey, scope) { try await token.tool($0) }
            let driver = try await token.driver(scope, ["DRIVER_UNSAFE": "1"])
            #expect(
                try await driver.ask("vector oaep-sha256 \(vector.ciphertext)", "vector")
                    == PublishedVectors.OAEP.text)
        }
    }
}
