import Crypto
import Testing

@testable import TPMBackend

/// The bytes of a vector; what is no hexadecimal text makes the vector's test fail.
func hex(_ text: String) -> [UInt8] {
    guard let bytes = Hex.decode(text) else {
        Issue.record("not hexadecimal: \(text)")
        return []
    }
    return bytes
}

func secret(_ bytes: [UInt8]) throws -> SecretBytes {
    try bytes.span.withUnsafeBytes { (bytes) throws(CryptoError) in try SecretBytes(copying: bytes) }
}

extension SecretBytes {
    /// A copy outside the secure heap, for vectors.
    borrowing func exposed() -> [UInt8] { self.withUnsafeBytes { (bytes) -> [UInt8] in Array(bytes) } }
}

/// Storage keys of software TPMs, as `tpm2_readpublic -o` writes them, and their Names.
enum StorageKeys {
    /// P-384, SHA-384, AES-256.
    static let p384 = hex(
        "007a0023000c000304720000000601000043001000040010003026148e434ef450e3cdaf9b8b6434c9c5595c94f074752004763e96fe"
            + "baec115581131b15c86e635884a6980265dd8c840030bfcfbdff623c97ef0ce062a71f63dc83197a778fc0470a56516eb2e989a5"
            + "f4ee9aca87cff1b43423a6b81038f87b073a")
    static let p384Name = hex(
        "000c1c58f41ec8c32c07f0b6adde8f0a68d0c83788098f069d5126f7bcae3a99c9a97cc3ae7cfa8e16357ccf5866429fa9d7")
    /// RSA-2048, SHA-256, AES-128, with the exponent 0.
    static let rsa = hex(
        "011a0001000b0003007200000006008000430010080000000000"
            + "0100be9b8c85080b5786c81dad9967eb8a099a7196bf036dd4219351bbc38f9cbf806f2f2dcc3b7007bcae47447e332566f04532"
            + "577525b9a716de694a67361e52b69c7e6b0c40f21000a940cb3e784a467344827bbe166710e196dafd36fd7b96199aabfef1a8a9"
            + "6561087a581e073477a882eae09b5095eace50cedda29a57507cac783ba946c6029c6c37f05b5595264a10249770bffd8c66c749"
            + "22ad4e35a4a28f3672dc0f868c7453962993b630f94b07c200ec8e5d60afe7c94f37a752a5c5d0b6ef76ad94651b04d7dc8984b3"
            + "4abe6b28d3754f38da55006ff794c81cf8ea38249522b9c3272ef4d8d545465861f80397a1cc274f2b6bdbcb3456dcfddc1f")
    static let rsaName = hex("000bcdba9cb43b26fef8e3ac324af87d2b551114b420ff56e796667d0bcea54556b9")

    /// A P-256 storage key with a point from here, as no TPM has it.
    static func p256(_ point: ECPoint) -> TPMPublic {
        TPMPublic(
            nameAlgorithm: .sha256, attributes: ObjectAttributes(rawValue: 0x30472),
            key: .ecc(.aesCFB(bits: 128), .p256, x: point.x, y: point.y))
    }
}
