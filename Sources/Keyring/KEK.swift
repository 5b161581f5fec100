public import Crypto

/// A key-encryption key: 32 bytes in secure memory, wiped with the last reference, and the keys derived from it.
///
/// Each purpose has its own 256-bit key, derived by `KBKDF` with an empty context and the label "enc", "record",
/// "voucher", "publication" or "id"; the last one is public (docs/formats.md).
public final class KEK: Sendable {
    /// 32 bytes.
    public static let size = 32

    /// The KEK's public name; always computed from the key, never taken from where the key was stored.
    public let id: KEKID
    /// XAES-256-GCM under the key "enc".
    let cipher: XAES256GCM

    private let secret: SecretBytes
    private let recordKey: SecretBytes
    private let voucherKey: SecretBytes
    private let publicationKey: SecretBytes

    /// What a MAC under one of the derived keys says.
    enum Purpose { case record, voucher, publication }

    /// Takes the key over.
    ///
    /// - Throws: `invalidLength` unless there are 32 bytes; `secureHeapExhausted`, `library`.
    public init(_ secret: consuming SecretBytes) throws(CryptoError) {
        guard secret.count == KEK.size else {
            throw CryptoError(.invalidLength, "KEK", detail: "\(secret.count) bytes, \(KEK.size) wanted")
        }
        let name = try KBKDF.derive(from: secret, label: "id", count: KEKID.size)
        guard let id = KEKID(name.withUnsafeBytes { Array($0) }) else { throw CryptoError(.invalidLength, "KBKDF") }
        let encryptionKey = try KBKDF.derive(from: secret, label: "enc", count: XAES256GCM.keySize)
        let cipher = try XAES256GCM(key: encryptionKey)
        let recordKey = try KBKDF.derive(from: secret, label: "record", count: HMACSHA256.size)
        let voucherKey = try KBKDF.derive(from: secret, label: "voucher", count: HMACSHA256.size)
        let publicationKey = try KBKDF.derive(from: secret, label: "publication", count: HMACSHA256.size)
        self.id = id
        self.cipher = cipher
        self.recordKey = recordKey
        self.voucherKey = voucherKey
        self.publicationKey = publicationKey
        self.secret = secret
    }

    /// A new key from the DRBG.
    public static func generate() throws(CryptoError) -> KEK {
        try KEK(SecretBytes(randomCount: KEK.size))
    }

    /// Whether this is the KEK of that name; compared in constant time.
    public func matches(_ id: KEKID) -> Bool {
        ConstantTime.equal(self.id.bytes, id.bytes)
    }

    /// Whether both are the same 32 bytes; compared in constant time.
    func isSame(as other: KEK) -> Bool { secret.isEqual(to: other.secret) }

    /// Shows the 32 bytes to a backend that seals them.
    public func withUnsafeBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try secret.withUnsafeBytes(body)
    }

    /// HMAC-SHA256 over the parts, each prefixed with its length.
    func authenticate(_ parts: [[UInt8]], for purpose: Purpose) throws(CryptoError) -> [UInt8] {
        let message = LengthPrefixed.concatenation(of: parts)
        return switch purpose {
        case .record: try HMACSHA256.authenticate(message, key: recordKey)
        case .voucher: try HMACSHA256.authenticate(message, key: voucherKey)
        case .publication: try HMACSHA256.authenticate(message, key: publicationKey)
        }
    }

    /// Whether `mac` is what `authenticate` makes. A failure of libcrypto counts as no.
    func verify(_ mac: [UInt8], of parts: [[UInt8]], for purpose: Purpose) -> Bool {
        do {
            return ConstantTime.equal(mac, try authenticate(parts, for: purpose))
        } catch {
            return false
        }
    }
}

extension KEK: CustomStringConvertible, CustomReflectable {
    /// The short form of the KEK's ID; nothing of the key.
    public var description: String { "KEK \(id)" }
    /// No children: `dump` shows nothing of the key.
    public var customMirror: Mirror { Mirror(self, children: [] as [Mirror.Child]) }
}
