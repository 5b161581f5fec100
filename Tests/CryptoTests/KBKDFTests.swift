@testable internal import Crypto
internal import Testing

@Suite("KBKDF")
struct KBKDFTests {
    /// NIST CAVP, CAVS 14.4 "SP800-108 - KDF", KDFCTR_gen: PRF=HMAC_SHA256, CTRLOCATION=BEFORE_FIXED, RLEN=32_BITS;
    /// COUNT 0, 10, 20 and 30, one of each output length.
    static let vectors: [(key: String, fixedInput: String, output: String)] = [
        (
            "dd1d91b7d90b2bd3138533ce92b272fbf8a369316aefe242e659cc0ae238afe0",
            "01322b96b30acd197979444e468e1c5c6859bf1b1cf951b7e725303e237e46b8"
                + "64a145fab25e517b08f8683d0315bb2911d80a0e8aba17f3b413faac",
            "10621342bfb0fd40046c0e29f2cfdbf0"
        ),
        (
            "e204d6d466aad507ffaf6d6dab0a5b26152c9e21e764370464e360c8fbc765c6",
            "7b03b98d9f94b899e591f3ef264b71b193fba7043c7e953cde23bc5384bc1a62"
                + "93580115fae3495fd845dadbd02bd6455cf48d0f62b33e62364a3a80",
            "770dfab6a6a4a4bee0257ff335213f78d8287b4fd537d5c1fffa956910e7c779"
        ),
        (
            "dc60338d884eecb72975c603c27b360605011756c697c4fc388f5176ef81efb1",
            "44d7aa08feba26093c14979c122c2437c3117b63b78841cd10a4bc5ed55c5658"
                + "6ad8986d55307dca1d198edcffbc516a8fbe6152aa428cdd800c062d",
            "29ac07dccf1f28d506cd623e6e3fc2fa255bd60b"
        ),
        (
            "c4bedbddb66493e7c7259a3bbbc25f8c7e0ca7fe284d92d431d9cd99a0d214ac",
            "1c69c54766791e315c2cc5c47ecd3ffab87d0d273dd920e70955814c220eacac"
                + "e6a5946542da3dfe24ff626b4897898cafb7db83bdff3c14fa46fd4b",
            "1da47638d6c9c4d04d74d4640bbd42ab814d9e8cc22f4326695239f96b0693f12d0dd1152cf44430"
        ),
    ]

    @Test("gives NIST's values for a fixed input", arguments: vectors.indices)
    func published(_ index: Int) throws {
        let vector = KBKDFTests.vectors[index]
        let expected = hex(vector.output)
        let derived = try KBKDF.derive(
            from: try secret(hex(vector.key)), label: hex(vector.fixedInput), context: [], count: expected.count,
            standardInput: false)
        #expect(derived.exposed() == expected)
    }

    @Test(
        "is HMAC over counter, label, zero, context and length",
        arguments: [("enc", 32, 0), ("record", 32, 16), ("x", 16, 1), ("", 1, 0), ("voucher", 100, 300)])
    func construction(_ label: String, _ count: Int, _ contextCount: Int) throws {
        let key = try SecretBytes(randomCount: 32)
        let context = try Random.bytes(contextCount)
        let derived = try KBKDF.derive(from: key, label: label, context: context, count: count)
        var expected: [UInt8] = []
        var counter: UInt32 = 1
        while expected.count < count {
            let input = bigEndian(counter) + Array(label.utf8) + [0] + context + bigEndian(UInt32(count * 8))
            expected += try HMACSHA256.authenticate(input, key: key)
            counter += 1
        }
        #expect(derived.exposed() == Array(expected.prefix(count)))
    }

    @Test("another label, context, key or length gives another key, and no prefix of it")
    func separation() throws {
        let key = try SecretBytes(randomCount: 32)
        let other = try SecretBytes(randomCount: 32)
        let outputs = [
            try KBKDF.derive(from: key, label: "enc", count: 32).exposed(),
            try KBKDF.derive(from: key, label: "record", count: 32).exposed(),
            try KBKDF.derive(from: key, label: "enc", context: [0], count: 32).exposed(),
            try KBKDF.derive(from: other, label: "enc", count: 32).exposed(),
            Array(try KBKDF.derive(from: key, label: "enc", count: 64).exposed().prefix(32)),
        ]
        #expect(Set(outputs).count == outputs.count)
    }

    @Test("an output of no bytes is an error")
    func nothing() throws {
        #expect(throws: CryptoError.self) {
            _ = try KBKDF.derive(from: try SecretBytes(randomCount: 32), label: "enc", count: 0)
        }
    }

    private func bigEndian(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
}
