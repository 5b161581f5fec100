internal import Crypto
internal import Testing

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

extension XAES256GCM {
    func seal(_ plaintext: [UInt8], nonce: [UInt8], aad: [UInt8]) throws -> [UInt8] {
        var output = [UInt8](repeating: 0xEE, count: plaintext.count + XAES256GCM.tagSize)
        try call(plaintext, nonce, aad, &output, seal)
        return output
    }

    func open(_ ciphertext: [UInt8], nonce: [UInt8], aad: [UInt8]) throws -> [UInt8] {
        var output = [UInt8](repeating: 0xEE, count: max(0, ciphertext.count - XAES256GCM.tagSize))
        try call(ciphertext, nonce, aad, &output, open)
        return output
    }

    typealias Operation = (
        UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer
    ) throws(CryptoError) -> Void

    func call(
        _ input: [UInt8], _ nonce: [UInt8], _ aad: [UInt8], _ output: inout [UInt8], _ operation: Operation
    ) throws {
        try input.withUnsafeBytes { input in
            try nonce.withUnsafeBytes { nonce in
                try aad.withUnsafeBytes { aad in
                    try output.withUnsafeMutableBytes { output in
                        try operation(input, nonce, aad, output)
                    }
                }
            }
        }
    }
}
