/// The layout of a ciphertext of a DEK seed:
/// `version (1) ‖ kekID[0..<16] ‖ nonce (24) ‖ XAES-256-GCM ciphertext ‖ tag (16)`.
public enum Envelope {
    /// 0x01. 0x02 is reserved for KEKs that never leave their HSM.
    public static let version: UInt8 = 1
    /// 41 bytes in front of the encrypted part.
    public static let headerSize = 1 + KEKID.prefixSize + nonceSize
    /// 57 bytes more than the plaintext.
    public static let overhead = headerSize + tagSize
    /// 1 to 967 bytes.
    public static let plaintextSizes = 1...(1024 - overhead)
    /// 58 to 1024 bytes: kube-apiserver takes no more.
    public static let ciphertextSizes = (1 + overhead)...1024

    static let nonceSize = 24
    static let tagSize = 16
    static let nonceOffset = 1 + KEKID.prefixSize

    /// Which KEK a ciphertext names. Nothing is authenticated yet.
    ///
    /// - Throws: `malformed`, `unsupported`, `tooLarge`.
    public static func kekPrefix(of ciphertext: UnsafeRawBufferPointer) throws(FormatError) -> KEKPrefix {
        guard ciphertext.count >= ciphertextSizes.lowerBound else {
            throw FormatError(.malformed, "ciphertext", "shorter than \(ciphertextSizes.lowerBound) bytes")
        }
        guard ciphertext.count <= ciphertextSizes.upperBound else {
            throw FormatError(.tooLarge, "ciphertext", "longer than \(ciphertextSizes.upperBound) bytes")
        }
        guard ciphertext[0] == version else {
            throw FormatError(.unsupported, "ciphertext", "version \(ciphertext[0]), this plugin reads version 1")
        }
        guard let prefix = KEKPrefix(UnsafeRawBufferPointer(rebasing: ciphertext[1...])) else {
            throw FormatError(.malformed, "ciphertext", "no KEK named")
        }
        return prefix
    }
}
