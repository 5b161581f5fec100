import TestSupport
import Testing

@testable import Crypto

@Suite("RSA-OAEP")
struct RSAOAEPTests {
    /// A key pair by OpenSSL's own command: the numbers of its public half, and the private one's file.
    private func makeKey(_ scope: TestScope, bits: Int) async throws -> RSAPublicKey {
        let made = try await ChildProcess.run(
            "openssl",
            ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:\(bits)", "-out", scope.path("key")])
        #expect(made.succeeded, "\(made.text)")
        let shown = try await ChildProcess.run("openssl", ["rsa", "-in", scope.path("key"), "-noout", "-modulus"])
        let text = shown.output.split(separator: "=").last?.split(separator: "\n").first.map(String.init) ?? ""
        let modulus = try #require(Hex.decode(text.lowercased()))
        return try #require(RSAPublicKey(modulus: [0, 0] + modulus, exponent: [0, 1, 0, 1]))
    }

    private func encrypt(
        _ plaintext: [UInt8], to key: RSAPublicKey, _ digest: RSAOAEP.Digest, label: [UInt8] = []
    ) throws -> [UInt8] {
        try plaintext.span.withUnsafeBytes { (bytes) throws(CryptoError) in
            try RSAOAEP.encrypt(bytes, to: key, digest: digest, label: label)
        }
    }

    @Test("openssl pkeyutl opens what is encrypted here, with either hash, up to the longest text")
    func interoperates() async throws {
        try await TestScope.with { scope in
            let key = try await makeKey(scope, bits: 2048)
            #expect(key.bits == 2048)
            for (digest, name, longest) in [(RSAOAEP.Digest.sha1, "sha1", 214), (.sha256, "sha256", 190)] {
                for count in [0, 1, 64, longest] {
                    let plaintext = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
                    let ciphertext = try encrypt(plaintext, to: key, digest)
                    #expect(ciphertext.count == 256)
                    #expect(try encrypt(plaintext, to: key, digest) != ciphertext)
                    try Files.write(ciphertext, to: scope.path("in"))
                    let opened = try await ChildProcess.run(
                        "openssl",
                        [
                            "pkeyutl", "-decrypt", "-inkey", scope.path("key"), "-in", scope.path("in"), "-out",
                            scope.path("out"), "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:\(name)",
                            "-pkeyopt", "rsa_mgf1_md:\(name)",
                        ])
                    #expect(opened.succeeded, "\(opened.text)")
                    #expect(try Files.read(scope.path("out")) == plaintext)
                }
                #expect(throws: CryptoError.self) {
                    try encrypt([UInt8](repeating: 0, count: longest + 1), to: key, digest)
                }
            }
        }
    }

    @Test("openssl pkeyutl opens what has a label with the same label only")
    func label() async throws {
        try await TestScope.with { scope in
            let key = try await makeKey(scope, bits: 2048)
            for (digest, name) in [(RSAOAEP.Digest.sha256, "sha256"), (.sha384, "sha384"), (.sha512, "sha512")] {
                let ciphertext = try encrypt([1, 2, 3], to: key, digest, label: Array("DUPLICATE\0".utf8))
                try Files.write(ciphertext, to: scope.path("in"))
                for (label, opens) in [("4455504c4943415445", false), ("4455504c494341544500", true)] {
                    let opened = try await ChildProcess.run(
                        "openssl",
                        [
                            "pkeyutl", "-decrypt", "-inkey", scope.path("key"), "-in", scope.path("in"), "-out",
                            scope.path("out"), "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:\(name)",
                            "-pkeyopt", "rsa_oaep_label:\(label)",
                        ])
                    #expect(opened.succeeded == opens, "\(opened.text)")
                }
                #expect(try Files.read(scope.path("out")) == [1, 2, 3])
            }
        }
    }

    @Test("numbers that are no RSA key are refused")
    func refuses() {
        let odd: [UInt8] = [0x81] + [UInt8](repeating: 0, count: 254) + [1]
        #expect(RSAPublicKey(modulus: odd, exponent: [1, 0, 1]) != nil)
        #expect(RSAPublicKey(modulus: odd.dropLast() + [2], exponent: [1, 0, 1]) == nil)
        #expect(RSAPublicKey(modulus: [], exponent: [1, 0, 1]) == nil)
        #expect(RSAPublicKey(modulus: [0, 0], exponent: [1, 0, 1]) == nil)
        #expect(RSAPublicKey(modulus: odd, exponent: []) == nil)
        #expect(RSAPublicKey(modulus: odd, exponent: [1]) == nil)
        #expect(RSAPublicKey(modulus: odd, exponent: [2]) == nil)
        #expect(RSAPublicKey(modulus: odd, exponent: [UInt8](repeating: 1, count: 9)) == nil)
        #expect(RSAPublicKey(modulus: [UInt8](repeating: 1, count: 2049), exponent: [3]) == nil)
        #expect(RSAPublicKey(modulus: [0x01, 0x01], exponent: [3])?.bits == 9)
        let small = RSAPublicKey(modulus: [0x01, 0x01], exponent: [3])
        #expect(throws: CryptoError.self) { try encrypt([1], to: small.unsafelyUnwrapped, .sha1) }
    }
}
