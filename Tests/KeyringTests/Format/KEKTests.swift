import Crypto
import Testing

@testable import Keyring

@Suite struct KEKTests {
    @Test func hasThirtyTwoBytes() throws {
        for count in [0, 1, 31, 33, 64] {
            #expect(throws: CryptoError.self) { try Sample.kek([UInt8](repeating: 7, count: count)) }
        }
        #expect(try Sample.kek(1).withUnsafeBytes { $0.count } == 32)
    }

    @Test func idIsComputedFromTheKey() throws {
        let kek = try Sample.kek(1)
        #expect(try Sample.kek(1).id == kek.id)
        #expect(kek.matches(kek.id))
        #expect(try !Sample.kek(2).matches(kek.id))
        for index in 0..<32 {
            var bytes = kek.id.bytes
            bytes[index] ^= 1
            let other = try #require(KEKID(bytes))
            #expect(!kek.matches(other))
        }
    }

    @Test func generatedKeysDiffer() throws {
        try SecureHeap.initialize(allowUnlocked: true)
        #expect(try KEK.generate().id != KEK.generate().id)
    }

    @Test func purposesHaveKeysOfTheirOwn() throws {
        let kek = try Sample.kek(1)
        let macs = try [KEK.Purpose.record, .voucher, .publication].map { try kek.authenticate([[1]], for: $0) }
        #expect(Set(macs).count == 3)
        #expect(!kek.verify(macs[0], of: [[1]], for: .voucher))
        #expect(kek.verify(macs[0], of: [[1]], for: .record))
    }

    @Test func partsOfAMACCannotMove() throws {
        let kek = try Sample.kek(1)
        #expect(
            try kek.authenticate([[1, 2], [3]], for: .record) != kek.authenticate([[1], [2, 3]], for: .record))
        #expect(try kek.authenticate([[1], []], for: .record) != kek.authenticate([[1]], for: .record))
    }

    @Test func descriptionShowsNothingOfTheKey() throws {
        let kek = try Sample.kek(0x41)
        var dumped = ""
        dump(kek, to: &dumped)
        #expect("\(kek)" == "KEK \(kek.id)")
        #expect(!dumped.contains("65"))
        #expect(!dumped.contains("secret"))
    }
}
