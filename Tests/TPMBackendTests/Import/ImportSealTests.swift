import Crypto
import Testing

@testable import TPMBackend

@Suite("TPM import seals")
struct ImportSealTests {
    private func parent() throws -> TPMPublic { StorageKeys.p256(try ECDHKey(on: .p256).point) }

    @Test("sizes: 230 bytes for a P-256 key, 262 with a policy; all encode to what they were parsed from")
    func sizes() throws {
        let kek = try SecretBytes(randomCount: 32)
        let policy = [UInt8](repeating: 3, count: 32)
        for (parent, extra) in [
            (try parent(), 0), (try TPMPublic(sized: StorageKeys.p384), 48),
            (try TPMPublic(sized: StorageKeys.rsa), 188),
        ] {
            let plain = try ImportSeal.make(secret: kek, parent: parent, policyDigest: [])
            let bound = try ImportSeal.make(secret: kek, parent: parent, policyDigest: policy)
            #expect(plain.encoded.count == 230 + extra && bound.encoded.count == 262 + extra)
            #expect(plain.publicArea.attributes == ObjectAttributes(rawValue: 0x440))
            #expect(bound.publicArea.attributes == ObjectAttributes(rawValue: 0x400))
            #expect(bound.publicArea.authPolicy == policy)
            #expect(try ImportSeal(plain.encoded) == plain && ImportSeal(bound.encoded) == bound)
            #expect(try ImportSeal.make(secret: kek, parent: parent, policyDigest: []) != plain)
        }
    }

    @Test("what is no storage key, no KEK or no digest is refused")
    func refusals() throws {
        let kek = try SecretBytes(randomCount: 32)
        let good = try parent()
        let signing = TPMPublic(nameAlgorithm: .sha256, attributes: [.sign, .decrypt], key: good.key)
        #expect {
            try ImportSeal.make(secret: kek, parent: signing, policyDigest: [])
        } throws: {
            "\($0)".contains("it is not fixedTPM, fixedParent, restricted")
        }
        #expect(throws: TPMFormatError.self) { try ImportSeal.make(secret: kek, parent: good, policyDigest: [1]) }
        let short = try SecretBytes(randomCount: 31)
        #expect(throws: TPMFormatError.self) { try ImportSeal.make(secret: short, parent: good, policyDigest: []) }
        // A point that is not on the curve: an invalid-curve key must not get a share of anything.
        let off = TPMPublic(
            nameAlgorithm: .sha256, attributes: good.attributes,
            key: .ecc(.aesCFB(bits: 128), .p256, x: [1], y: [1]))
        #expect {
            try ImportSeal.make(secret: kek, parent: off, policyDigest: [])
        } throws: {
            ($0 as? TPMFormatError)?.code == .cryptography
        }
    }

    @Test("no cut, added or changed byte makes the parser trap, and what still parses encodes to itself")
    func mutations() throws {
        let kek = try SecretBytes(randomCount: 32)
        for parent in [try parent(), try TPMPublic(sized: StorageKeys.p384)] {
            let original = try ImportSeal.make(
                secret: kek, parent: parent, policyDigest: [UInt8](repeating: 3, count: 32)
            ).encoded
            for count in 0..<original.count {
                #expect(throws: TPMFormatError.self) { try ImportSeal(Array(original.prefix(count))) }
            }
            #expect(throws: TPMFormatError.self) { try ImportSeal(original + [0]) }
            for index in original.indices {
                for bit in 0..<8 {
                    var changed = original
                    changed[index] ^= 1 << UInt8(bit)
                    if let parsed = try? ImportSeal(changed) { #expect(parsed.encoded == changed) }
                }
            }
        }
        #expect(throws: TPMFormatError.self) { try ImportSeal([UInt8](repeating: 1, count: 3000)) }
        for bytes: [UInt8] in [[], [1], [1, 1], [0, 1, 0, 0], [2, 1, 0, 0], [1, 2, 0, 0]] {
            #expect(throws: TPMFormatError.self) { try ImportSeal(bytes) }
        }
    }

    @Test("only objects in the form of our own reach a TPM")
    func form() throws {
        let kek = try SecretBytes(randomCount: 32)
        let seal = try ImportSeal.make(secret: kek, parent: parent(), policyDigest: [])
        func refused(
            _ publicArea: TPMPublic? = nil, duplicate: [UInt8]? = nil, seed: [UInt8]? = nil
        ) -> Bool {
            let changed = ImportSeal(
                publicArea: publicArea ?? seal.publicArea, duplicate: duplicate ?? seal.duplicate,
                encryptedSeed: seed ?? seal.encryptedSeed)
            return (try? ImportSeal(changed.encoded)) == nil
        }
        #expect(!refused())
        for attributes in [[.noDA], [.userWithAuth], [.noDA, .userWithAuth, .fixedTPM]] as [ObjectAttributes] {
            #expect(refused(TPMPublic(nameAlgorithm: .sha256, attributes: attributes, key: seal.publicArea.key)))
        }
        #expect(refused(try parent()))
        #expect(refused(duplicate: seal.duplicate + [0]) && refused(duplicate: []))
        #expect(refused(seed: []) && refused(seed: seal.encryptedSeed + [0]))
        #expect(refused(seed: [UInt8](repeating: 0, count: 68)))
        #expect(!refused(seed: [UInt8](repeating: 0, count: 256)))
    }

    /// Expected values: Python's hmac and cryptography 48, from the formulas of part 1 of the specification.
    static let wraps: [(HashAlgorithm, Int, String)] = [
        (
            .sha256, 128,
            "0020651d8cd32155ac5860aaf7edf2e60fca32a8e9d219b4f7b5951c4d69d30139fd6e7206b1ea26388bcb30e7a28812a73fb711480e"
                + "b6963dfee3f183dc4851e81c3476b8664e1548064e00769a7f65b4fc5a3c4756c9958110dab84471faa8a5756b276fc59f87"
                + "0bdfe9b6"
        ),
        (
            .sha384, 256,
            "0030e77b81c562071d91f088c08376232ec314415f416c272e28d14cdf3e927586bbd7b9a39027da8b1c025aac777b3683976aa6ac9d"
                + "60e3ca79cf61bde12434aa26f907ab3687164e3fc680735c7c9f10af36d2568309bd19cd1e8da5353f35a3f2b4db27879119"
                + "85c4a06bbb8f2a4f0fbb46291542ccc867f4ac60"
        ),
    ]

    @Test("the outer wrapper under a given seed", arguments: wraps)
    func wrap(_ hash: HashAlgorithm, _ bits: Int, _ expected: String) throws {
        let seed = try secret(Array(0..<UInt8(hash.size)))
        let sensitive = try secret((0..<74).map { UInt8(truncatingIfNeeded: 3 * $0) })
        let name = hex("000b") + Array(0x40..<0x60)
        #expect(try ImportSeal.wrap(sensitive, name: name, seed: seed, hash: hash, bits: bits) == hex(expected))
    }

    @Test("KDFa: the two contexts follow each other, and the label is closed by one zero")
    func kdfa() throws {
        let seed = try secret(Array(0..<32))
        let name = hex("000b") + Array(0x40..<0x60)
        #expect(
            try KDFa.derive(from: seed, label: "STORAGE", contextU: name, count: 16, hash: .sha256).exposed()
                == hex("7a58c2079bee13e00ed160d657aecaef"))
        #expect(
            try KDFa.derive(from: seed, label: "INTEGRITY", count: 32, hash: .sha256).exposed()
                == hex("bacf689f634ece301e1f1b15b072d9c87db6a69585db42b1a0cb8f73ebe2692e"))
        let longer = try secret(Array(0..<48))
        #expect(
            try KDFa.derive(from: longer, label: "X", contextU: [1, 2], contextV: [3], count: 128, hash: .sha512)
                .exposed().starts(with: hex("ec613e59d55add06")))
    }

    @Test("the secret half commits to its seed and secret")
    func sensitive() throws {
        let kek = try SecretBytes(randomCount: 32)
        let (bytes, unique) = try kek.withUnsafeBytes { bytes in
            let sensitive = try SealedSensitive(bytes)
            return (sensitive.bytes.exposed(), sensitive.unique)
        }
        #expect(bytes.count == 74 && SealedSensitive.size(of: 32) == 74)
        #expect(bytes.starts(with: hex("0048000800000020")))
        #expect(bytes[40..<42] == [0, 32] && bytes[42...].elementsEqual(kek.exposed()))
        #expect(try SHA256.hash(Array(bytes[8..<40]) + bytes[42...]) == unique)
    }
}
