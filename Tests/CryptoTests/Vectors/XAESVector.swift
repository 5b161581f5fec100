internal import Testing

/// The vectors in the text of https://c2sp.org/XAES-256-GCM. In the first one the CMAC subkey is a plain shift
/// (MSB(L) = 0), in the second it is reduced (MSB(L) = 1).
struct XAESVector: Sendable, CustomTestStringConvertible {
    let name: String
    let key: [UInt8]
    let nonce: [UInt8]
    let plaintext: [UInt8]
    let aad: [UInt8]
    let ciphertext: [UInt8]

    var testDescription: String { name }

    static let specification: [XAESVector] = [
        XAESVector(
            name: "MSB(L) = 0", key: [UInt8](repeating: 0x01, count: 32), nonce: Array("ABCDEFGHIJKLMNOPQRSTUVWX".utf8),
            plaintext: Array("XAES-256-GCM".utf8), aad: [],
            ciphertext: hex("ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271")),
        XAESVector(
            name: "MSB(L) = 1", key: [UInt8](repeating: 0x03, count: 32), nonce: Array("ABCDEFGHIJKLMNOPQRSTUVWX".utf8),
            plaintext: Array("XAES-256-GCM".utf8), aad: Array("c2sp.org/XAES-256-GCM".utf8),
            ciphertext: hex("986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d")),
    ]

    /// "Accumulated randomized tests": how many, and the SHAKE128 of all ciphertexts.
    struct Accumulated: Sendable, CustomTestStringConvertible {
        let iterations: Int
        let digest: [UInt8]

        var testDescription: String { "\(iterations) iterations" }
    }

    static let accumulated: [Accumulated] = [
        Accumulated(
            iterations: 10_000, digest: hex("e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939")),
        Accumulated(
            iterations: 1_000_000, digest: hex("2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15")),
    ]
}
