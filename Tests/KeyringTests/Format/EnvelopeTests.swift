import Crypto
import Testing

@testable import Keyring

@Suite struct EnvelopeTests {
    private func cipher(_ first: UInt8 = 1, keyring: KeyringIdentity? = nil) throws -> EnvelopeCipher {
        EnvelopeCipher(kek: try Sample.kek(first), keyring: try keyring ?? Sample.keyring())
    }

    private func encrypt(_ plaintext: [UInt8], _ cipher: EnvelopeCipher, _ api: KMSAPI = .v2) throws -> [UInt8] {
        try plaintext.withUnsafeBytes { try cipher.encrypt($0, api: api) }
    }

    private func decrypt(_ ciphertext: [UInt8], _ cipher: EnvelopeCipher, _ api: KMSAPI = .v2) throws -> [UInt8] {
        try ciphertext.withUnsafeBytes { try cipher.decrypt($0, api: api).withUnsafeBytes { Array($0) } }
    }

    @Test(arguments: [1, 16, 32, 33, 966, 967]) func plaintextsOfAllSizesComeBack(count: Int) throws {
        var generator = SeededGenerator(UInt64(count))
        let plaintext = generator.bytes(count)
        for api in KMSAPI.allCases {
            let ciphertext = try encrypt(plaintext, try cipher(), api)
            #expect(ciphertext.count == count + 57)
            #expect(Envelope.ciphertextSizes.contains(ciphertext.count))
            #expect(try decrypt(ciphertext, try cipher(), api) == plaintext)
        }
    }

    @Test func plaintextsOfOtherSizesAreRefused() throws {
        let cipher = try cipher()
        #expect(formatError { _ = try encrypt([], cipher) }?.code == .malformed)
        #expect(formatError { _ = try encrypt([UInt8](repeating: 0, count: 968), cipher) }?.code == .tooLarge)
    }

    @Test func namesItsKEK() throws {
        let cipher = try cipher()
        let ciphertext = try encrypt([1], cipher)
        #expect(try ciphertext.withUnsafeBytes { try Envelope.kekPrefix(of: $0) } == KEKPrefix(cipher.kek.id))
        #expect(Array(ciphertext[1..<17]) == cipher.kek.id.prefix)
        #expect(ciphertext[0] == 1)
    }

    @Test func noTwoAreTheSame() throws {
        let cipher = try cipher()
        #expect(try Set((0..<100).map { _ in try encrypt([1, 2, 3], cipher) }).count == 100)
    }

    @Test func everyDamageIsAnError() throws {
        let cipher = try cipher()
        for damaged in everyDamage(try encrypt(Array(0..<32), cipher)) {
            #expect(formatError { _ = try decrypt(damaged, cipher) } != nil)
        }
    }

    @Test func opensOnlyWhereItWasMade() throws {
        let ciphertext = try encrypt([1, 2, 3], try cipher())
        #expect(formatError { _ = try decrypt(ciphertext, try cipher(), .v1beta1) }?.code == .notAuthentic)
        #expect(formatError { _ = try decrypt(ciphertext, try cipher(2)) }?.code == .conflict)
        let other = try KeyringIdentity(keyringID: [UInt8](repeating: 1, count: 16), name: "prod")
        #expect(formatError { _ = try decrypt(ciphertext, try cipher(keyring: other)) }?.code == .notAuthentic)
        // The name is for people: the ID is what counts.
        #expect(try decrypt(ciphertext, try cipher(keyring: Sample.keyring("renamed"))) == [1, 2, 3])
    }

    @Test func aKEKOfTheSamePrefixIsNotTheSameKEK() throws {
        // The header is that of the first KEK, the rest that of the second: what a collision of prefixes would be.
        let forged = try encrypt([1], try cipher(1)).prefix(17) + encrypt([1], try cipher(2)).dropFirst(17)
        #expect(formatError { _ = try decrypt(Array(forged), try cipher(1)) }?.code == .notAuthentic)
    }

    @Test func garbageIsRefusedBySizeAndVersion() throws {
        var generator = SeededGenerator(4)
        let cipher = try cipher()
        for count in [0, 1, 17, 40, 41, 57, 1025, 5000] {
            let code = formatError { _ = try decrypt([1] + generator.bytes(max(0, count - 1)), cipher) }?.code
            #expect(code == (count > 1024 ? .tooLarge : .malformed))
        }
        #expect(formatError { _ = try decrypt([2] + generator.bytes(100), cipher) }?.code == .unsupported)
        for _ in 0..<2000 {
            let garbage = generator.bytes(Int.random(in: 0...200, using: &generator))
            #expect(formatError { _ = try decrypt(garbage, cipher) } != nil)
        }
    }
}
