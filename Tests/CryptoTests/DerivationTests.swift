import Crypto
import Testing

/// Expected values: Python's hashlib and hmac, and cryptography 48, from the formulas of SP 800-108, SP 800-56C and
/// SP 800-38A.
@Suite("Derivations with a hash function of choice, AES-CFB")
struct DerivationTests {
    private static func counting(_ range: Range<UInt8>) -> [UInt8] { Array(range) }

    @Test("KBKDF with SHA-384 and SHA-512")
    func kbkdf() throws {
        let key = try secret(Array(0..<48))
        let name = hex("000b") + Array(0x40..<0x60)
        #expect(
            try KBKDF.derive(from: key, label: "STORAGE", context: name, count: 32, hash: .sha384).exposed()
                == hex("418e8054c6b6d2208c3394a1afbf84f379af56c539d1c110c735ccb8e7de0741"))
        #expect(
            try KBKDF.derive(from: key, label: "X", context: [1, 2, 3], count: 128, hash: .sha512).exposed()
                == hex(
                    "ec613e59d55add064265cf65ce922a8fc9db2ce7e404bd0520d2148cbfaf7b82ba0e4eccfa836e92b91f3803802e2853"
                        + "ca6b10aab6331a339e45021e25982f987003b3fe4d1cf6edcc32baa82272a8b8ce60d16c43a3c234a2858c6236370"
                        + "1686293d20a6d30fe0c0e251822b0f0193d72fee91fd6110d2cb55cbaa6c23ba8de"))
    }

    @Test("SSKDF: one block, SHA-384, and more than one block")
    func sskdf() throws {
        let z = try secret([0] + Array(1..<32))
        let info = Array("DUPLICATE".utf8) + [0, 0, 0] + Array(0..<30) + Array(0x80..<0xa0)
        #expect(
            try SSKDF.derive(from: z, info: info, count: 32, hash: .sha256).exposed()
                == hex("70cc231230dbf7e716808a2a7801269ef0dd96f7d68c51b77a8d518449097f9e"))
        #expect(
            try SSKDF.derive(from: z, info: info, count: 100, hash: .sha512).exposed()
                == hex(
                    "14559937e47671e846341bc5d8269f52330d5b0754952e6a99e8ac8a762d160839c0e9d60f6089f88e32fc6e586586b1c2d1"
                        + "ed53ad35d571ad35561de4cf1c81bb2bb0cdaca5fff0fff7dc48c69ab83c3469e1018e630949b0c569ad01707ed39"
                        + "b844aeb"))
    }

    static let ciphertexts: [(Int, String)] = [
        (
            16,
            "c6a635229bac71b35770c72ff593ba10e85f14b305ac7074466308e85e43e60750eb966c84517848a7179d55a0957d6720d51b93"
                + "6dadded1bf95c33b2c50f38516aeadecbd31b015396b"
        ),
        (
            24,
            "91655f9700508f13fba9906a6c5af46e762ab9eb1720c9640617b2550f27989e9eb7866c4cff171c167ffc1ec55946e9637ab985"
                + "2b176caa611f902bcd6cfc010a82cbd80ffe6555f9a2"
        ),
        (
            32,
            "f2970ea3366ab5e191ccdc27897515e94e64787d5af63d08785a78fec427d930f3f0b561ed42b5cdcce19d92a5e7a61cbeb7a389"
                + "db761ae8d5a8a2e5f2e73d66326f5edafb1ccc96d5d1"
        ),
    ]

    @Test("AES-CFB with all key sizes, and a last block that is not full", arguments: ciphertexts)
    func cfb(_ size: Int, _ expected: String) throws {
        let key = try secret(Array(0..<UInt8(size)))
        let plaintext = try secret((0..<74).map { UInt8(truncatingIfNeeded: 7 * $0) })
        #expect(try AESCFB.encryptOnce(plaintext, key: key) == hex(expected))
    }

    @Test("AES-CFB refuses keys of other sizes")
    func sizes() throws {
        let plaintext = try secret([1])
        for size in [0, 15, 17, 33] {
            let key = try SecretBytes(count: size) { (_) throws(CryptoError) in }
            #expect(throws: CryptoError.self) { try AESCFB.encryptOnce(plaintext, key: key) }
        }
    }

    @Test("hash functions and HMAC by FIPS 180's and RFC 4231's examples")
    func hashes() throws {
        let abc = Array("abc".utf8)
        #expect(try HashAlgorithm.sha256.hash(abc) == SHA256.hash(abc))
        #expect(try HashAlgorithm.sha384.hash(abc).starts(with: hex("cb00753f45a35e8bb5a03d699ac65007")))
        #expect(try HashAlgorithm.sha512.hash(abc).starts(with: hex("ddaf35a193617abacc417349ae204131")))
        #expect(try HashAlgorithm.sha512.hash([UInt8]()).starts(with: hex("cf83e1357eefb8bdf1542850d66d8007")))
        let key = try secret(Array("Jefe".utf8))
        let message = Array("what do ya want for nothing?".utf8)
        #expect(
            try HMAC.authenticate(message, key: key, hash: .sha384)
                == hex(
                    "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"))
        for hash in HashAlgorithm.allCases {
            #expect(try hash.hash(message).count == hash.size)
            #expect(try HMAC.authenticate(message, key: key, hash: hash).count == hash.size)
        }
    }
}
