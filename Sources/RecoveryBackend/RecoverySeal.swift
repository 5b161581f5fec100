internal import COpenSSL
internal import Crypto
internal import Keyring

/// A KEK sealed to a recovery key: CMS AuthEnvelopedData (RFC 5083) in DER with AES-256-GCM and one recipient, which
/// `openssl cms -decrypt` opens. Its content is 64 bytes: the KEK, then SHA-256 of the context.
///
/// The digest keeps other messages to the same key from being taken for seals. It does not say who made the seal: whoever
/// has the public key can make one. That a seal opens to the KEK it should is seen by the KEK's own ID. Frozen:
/// docs/formats.md.
enum RecoverySeal {
    /// 64 bytes.
    static let contentSize = KEK.size + SHA256.size
    /// As `Seal.bytes` allows.
    static let limit = 2048

    /// Seals the KEK.
    static func seal(_ kek: KEK, to key: RecipientKey) throws(RecoveryError) -> [UInt8] {
        let digest = try hash(context(kek.id))
        let content: SecretBytes
        do throws(CryptoError) {
            content = try SecretBytes(count: contentSize) { (memory) throws(CryptoError) in
                kek.withUnsafeBytes { memory.copyMemory(from: $0) }
                memory[KEK.size...].copyBytes(from: digest)
            }
        } catch {
            throw RecoveryError(error)
        }
        let bytes = try CMSMessage.encrypt(content, to: key)
        guard bytes.count <= limit else {
            throw RecoveryError(.cryptography, "recovery seal: \(bytes.count) bytes, at most \(limit)")
        }
        return bytes
    }

    /// Opens a seal with the private key.
    ///
    /// - Throws: `seal`, one and the same error whatever is wrong with it.
    static func open(_ bytes: [UInt8], of kekID: KEKID, with key: PublicKey) throws(RecoveryError) -> KEK {
        guard 1...limit ~= bytes.count else { throw doesNotOpen }
        let digest = try hash(context(kekID))
        let content = try CMSMessage.decrypt(bytes, with: key, size: contentSize)
        let secret = try content.withUnsafeBytes { (memory) throws(RecoveryError) in
            guard ConstantTime.equal(Array(memory[KEK.size...]), digest) else { throw doesNotOpen }
            do throws(CryptoError) {
                return try KEK(SecretBytes(copying: UnsafeRawBufferPointer(rebasing: memory[..<KEK.size])))
            } catch {
                throw RecoveryError(error)
            }
        }
        return secret
    }

    /// What the digest covers: domain and kekID, each prefixed with its length in 4 bytes, big-endian.
    static func context(_ kekID: KEKID) -> [UInt8] {
        lengthPrefixed(Array("trousseau recovery seal v1".utf8)) + lengthPrefixed(kekID.bytes)
    }

    static func lengthPrefixed(_ bytes: [UInt8]) -> [UInt8] {
        let count = UInt32(truncatingIfNeeded: bytes.count)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) } + bytes
    }

    static let doesNotOpen = RecoveryError(
        .seal, "recovery seal: it does not open with this key", errorClass: .permanent)
}
