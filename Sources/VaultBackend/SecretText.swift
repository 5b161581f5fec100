internal import Crypto
internal import Keyring

/// Texts with a secret in them, put together in secure memory.
enum SecretText {
    /// A secret that may be shared, and goes with its last owner.
    final class Owned: Sendable {
        let bytes: SecretBytes

        init(_ bytes: consuming SecretBytes) {
            self.bytes = bytes
        }
    }

    /// `before`, the secret, `after`.
    static func join(
        _ before: String, _ secret: borrowing SecretBytes, _ after: String
    ) throws(VaultError) -> SecretBytes {
        try secret.withUnsafeBytes { (bytes) throws(VaultError) in
            try make(before.utf8.count + bytes.count + after.utf8.count) { memory in
                write(before, bytes, after, to: memory)
            }
        }
    }

    /// Both, one after the other.
    static func concatenate(
        _ first: borrowing SecretBytes, _ second: borrowing SecretBytes
    ) throws(VaultError) -> SecretBytes {
        try first.withUnsafeBytes { (first) throws(VaultError) in
            try second.withUnsafeBytes { (second) throws(VaultError) in
                try make(first.count + second.count) { memory in
                    memory.copyMemory(from: first)
                    UnsafeMutableRawBufferPointer(rebasing: memory[first.count...]).copyMemory(from: second)
                    return memory.count
                }
            }
        }
    }

    /// `before`, the base64 text of the bytes, `after`.
    static func join(
        _ before: String, base64 bytes: UnsafeRawBufferPointer, _ after: String
    ) throws(VaultError) -> SecretBytes {
        let text = try make((bytes.count + 2) / 3 * 4 + 1) { memory in Base64.encode(bytes, into: memory) ?? 0 }
        return try join(before, text, after)
    }

    /// A text without a secret, where one that has one could be.
    static func plain(_ text: String) throws(VaultError) -> SecretBytes {
        try make(text.utf8.count) { memory in write(text, UnsafeRawBufferPointer(start: nil, count: 0), "", to: memory)
        }
    }

    /// The bytes of a base64 text; nil unless it is exactly what an encoder makes.
    static func decode(base64 text: UnsafeRawBufferPointer) throws(VaultError) -> Owned? {
        var isSound = true
        let bytes = try make(text.count / 4 * 3) { memory in
            guard let count = Base64.decode(text, into: memory) else {
                isSound = false
                return 0
            }
            return count
        }
        return isSound ? Owned(bytes) : nil
    }

    /// A copy.
    static func copy(_ bytes: UnsafeRawBufferPointer) throws(VaultError) -> SecretBytes {
        do {
            return try SecretBytes(copying: bytes)
        } catch {
            throw VaultError(error)
        }
    }

    private static func make(
        _ capacity: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int
    ) throws(VaultError) -> SecretBytes {
        do {
            return try SecretBytes(capacity: capacity) { body($0) }
        } catch let error as CryptoError {
            throw VaultError(error)
        } catch {
            throw VaultError(.local, "\(error)", errorClass: .retry)
        }
    }

    private static func write(
        _ before: String, _ secret: UnsafeRawBufferPointer, _ after: String, to memory: UnsafeMutableRawBufferPointer
    ) -> Int {
        memory.copyBytes(from: before.utf8)
        UnsafeMutableRawBufferPointer(rebasing: memory[before.utf8.count...]).copyMemory(from: secret)
        UnsafeMutableRawBufferPointer(rebasing: memory[(before.utf8.count + secret.count)...])
            .copyBytes(from: after.utf8)
        return memory.count
    }
}
