internal import Crypto
internal import Testing

@Suite("SHA-256, HMAC and random bytes")
struct DigestTests {
    @Test(
        "SHA-256 gives FIPS 180-4's examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                String(repeating: "a", count: 1_000_000),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
            ),
        ])
    func sha256(_ message: String, _ digest: String) throws {
        #expect(Hex.encode(try SHA256.hash(Array(message.utf8))) == digest)
    }

    /// RFC 4231, section 4; the fifth is truncated to 16 bytes there.
    static let hmacVectors: [(key: [UInt8], message: [UInt8], mac: String)] = [
        (
            [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            [UInt8](1...25), [UInt8](repeating: 0xcd, count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            [UInt8](repeating: 0x0c, count: 20), Array("Test With Truncation".utf8),
            "a3b6167473100ee06e0c796c2955552b"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131),
            Array(
                """
                This is a test using a larger than block-size key and a larger than block-size data. \
                The key needs to be hashed before being used by the HMAC algorithm.
                """.utf8),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ]

    @Test("HMAC-SHA256 gives RFC 4231's values", arguments: hmacVectors.indices)
    func hmac(_ index: Int) throws {
        let vector = DigestTests.hmacVectors[index]
        let mac = try HMACSHA256.authenticate(vector.message, key: try secret(vector.key))
        #expect(mac.count == HMACSHA256.size)
        #expect(Hex.encode(mac).hasPrefix(vector.mac))
        #expect(try HMACSHA256.verify(mac, of: vector.message, key: try secret(vector.key)))
    }

    @Test("HMAC's verification refuses every changed bit and every other length")
    func hmacVerification() throws {
        let key = try SecretBytes(randomCount: 32)
        let message = Array("record".utf8)
        let mac = try HMACSHA256.authenticate(message, key: key)
        for bit in 0..<mac.count * 8 {
            var changed = mac
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(try HMACSHA256.verify(changed, of: message, key: key) == false)
        }
        for count in 0..<mac.count {
            #expect(try HMACSHA256.verify(Array(mac.prefix(count)), of: message, key: key) == false)
        }
        #expect(try HMACSHA256.verify(mac + [0], of: message, key: key) == false)
        #expect(try HMACSHA256.verify(mac, of: message + [0], key: key) == false)
        #expect(try HMACSHA256.verify(mac, of: message, key: try SecretBytes(randomCount: 32)) == false)
    }

    @Test("an empty message and an empty key have a MAC")
    func emptyHMAC() throws {
        let mac = try HMACSHA256.authenticate([], key: try secret([]))
        #expect(Hex.encode(mac) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    @Test("random bytes have the length asked for and do not repeat", arguments: [0, 1, 16, 24, 32, 1000])
    func random(_ count: Int) throws {
        let bytes = try Random.bytes(count)
        #expect(bytes.count == count)
        if count >= 16 { #expect(try Random.bytes(count) != bytes) }
        var filled = [UInt8](repeating: 0, count: count)
        try filled.withUnsafeMutableBytes { memory in try Random.fill(memory) }
        if count >= 16 { #expect(filled != bytes && filled.contains { $0 != 0 }) }
    }

    @Test("constant-time comparison finds each difference")
    func constantTime() {
        let bytes = [UInt8](0..<64)
        #expect(ConstantTime.equal(bytes, bytes))
        #expect(ConstantTime.equal([], []))
        #expect(!ConstantTime.equal(bytes, []))
        #expect(!ConstantTime.equal(bytes, bytes.dropLast()))
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x80
            #expect(!ConstantTime.equal(bytes, changed))
        }
    }
}
