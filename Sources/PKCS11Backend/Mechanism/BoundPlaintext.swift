internal import Crypto
internal import Keyring

/// What is sealed where the mechanism authenticates no context: secret ‖ SHA-256(context). RSA-OAEP has a label, but few
/// tokens take one; key wrapping has nothing.
enum BoundPlaintext {
    /// Bytes that the binding adds.
    static let overhead = SHA256.size

    /// The secret with its binding.
    static func make(_ secret: UnsafeRawBufferPointer, context: [UInt8]) throws(PKCS11Error) -> SecretBytes {
        let hash = try digest(context)
        return try Session.secret(capacity: secret.count + overhead) { memory in
            memory.copyMemory(from: secret)
            UnsafeMutableRawBufferPointer(rebasing: memory[secret.count...]).copyBytes(from: hash)
            return memory.count
        }
    }

    /// The secret without its binding.
    ///
    /// - Throws: `PKCS11Seal.doesNotOpen` when it is another context's, or too short.
    static func open(_ bound: borrowing SecretBytes, context: [UInt8]) throws(PKCS11Error) -> SecretBytes {
        let hash = try digest(context)
        return try bound.withUnsafeBytes { (bytes) throws(PKCS11Error) in
            let count = bytes.count - overhead
            guard count > 0, ConstantTime.equal(Array(bytes[count...]), hash) else { throw PKCS11Seal.doesNotOpen }
            return try Session.secret(capacity: count) { memory in
                memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                return count
            }
        }
    }

    private static func digest(_ context: [UInt8]) throws(PKCS11Error) -> [UInt8] {
        do {
            return try SHA256.hash(context)
        } catch {
            throw PKCS11Error(.local, "SHA-256: \(error)", errorClass: .retry)
        }
    }
}
