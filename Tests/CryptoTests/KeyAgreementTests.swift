import Crypto
import Testing

@Suite("ECDH")
struct KeyAgreementTests {
    @Test("both sides come to the same bytes, as wide as the curve", arguments: EllipticCurve.allCases)
    func agrees(_ curve: EllipticCurve) throws {
        let mine = try ECDHKey(on: curve)
        // About one common secret in 256 begins with a zero byte, which has to stay.
        var short = 0
        for _ in 0..<4096 where short == 0 {
            let theirs = try ECDHKey(on: curve)
            let secret = try mine.agree(with: theirs.point)
            let bytes = secret.exposed()
            #expect(bytes.count == curve.width && theirs.point.x.count == curve.width)
            if bytes[0] == 0 {
                short += 1
                #expect(try theirs.agree(with: mine.point).isEqual(to: secret))
            }
        }
        #expect(short == 1)
    }

    @Test("a point off the curve, of another curve, or zero is refused")
    func refuses() throws {
        let key = try ECDHKey(on: .p256)
        let good = try ECDHKey(on: .p256).point
        var y = good.y
        y[31] ^= 1
        let off = try #require(ECPoint(.p256, x: good.x, y: y))
        #expect(throws: CryptoError.self) { _ = try key.agree(with: off) }
        let zero = try #require(ECPoint(.p256, x: [], y: []))
        #expect(throws: CryptoError.self) { _ = try key.agree(with: zero) }
        let other = try ECDHKey(on: .p384).point
        #expect(throws: CryptoError.self) { _ = try key.agree(with: other) }
    }

    @Test("short coordinates are filled up on the left, long ones refused")
    func points() {
        let point = ECPoint(.p256, x: [1], y: [UInt8](repeating: 2, count: 31))
        #expect(point?.x == [UInt8](repeating: 0, count: 31) + [1])
        #expect(point?.uncompressed.count == 65 && point?.uncompressed.first == 4 && point?.y.first == 0)
        #expect(ECPoint(.p256, x: [UInt8](repeating: 0, count: 33), y: [1]) == nil)
        #expect(ECPoint(.p384, x: [1], y: [UInt8](repeating: 0, count: 49)) == nil)
    }
}
