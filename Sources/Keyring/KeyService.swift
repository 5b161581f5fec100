public import Crypto

/// The KMS API that a request came by; bound into each ciphertext.
public enum KMSAPI: String, Sendable, CaseIterable {
    case v2
    case v1beta1
}

/// What a KMS server needs of a keyring. The server calls the synchronous functions on its completion-queue thread:
/// they answer from memory and never wait for hardware.
public protocol KeyService: Sendable {
    /// The publication that new ciphertexts belong to, as long as the active KEK encrypts and decrypts.
    func status() throws(ServiceError) -> CurrentPublication

    /// Encrypts a DEK seed under the active KEK.
    func encrypt(_ plaintext: UnsafeRawBufferPointer, api: KMSAPI) throws(ServiceError) -> Encrypted

    /// Decrypts a DEK seed, when its KEK is in memory. `keyID` is the request's key_id; nil for v1beta1, which has none.
    func decrypt(
        _ ciphertext: UnsafeRawBufferPointer, keyID: UnsafeRawBufferPointer?, api: KMSAPI
    ) throws(ServiceError) -> Decrypted

    /// Decrypts under a KEK that was not in memory: waits for its unsealing, but never past `until`.
    func decrypt(_ cold: ColdDecryption, until: ContinuousClock.Instant) async throws(ServiceError) -> Plaintext
}

/// The answer to an Encrypt.
public struct Encrypted: Sendable {
    /// At most 1024 bytes.
    public let ciphertext: [UInt8]
    /// What it was encrypted under.
    public let publication: CurrentPublication

    /// An answer.
    public init(ciphertext: [UInt8], publication: CurrentPublication) {
        self.ciphertext = ciphertext
        self.publication = publication
    }
}

/// What Status and Encrypt say about the active KEK. One object as long as nothing changes: a server may keep its
/// encoding by identity.
public final class CurrentPublication: Sendable {
    /// At most 1024 bytes.
    public let keyID: String
    /// The value of the annotation `kek.trousseau`: an encoded Publication of at most 8192 bytes.
    public let annotation: [UInt8]

    /// A key_id and the annotation it stands for.
    public init(keyID: String, annotation: [UInt8]) {
        self.keyID = keyID
        self.annotation = annotation
    }
}

/// A decrypted DEK seed. A class, so that whoever sends it owns it until the last byte is on its way, and then it wipes
/// itself.
public final class Plaintext: Sendable {
    /// 1 to 967 bytes.
    public let bytes: SecretBytes

    /// Takes the bytes over.
    public init(_ bytes: consuming SecretBytes) {
        self.bytes = bytes
    }
}

/// The answer to a Decrypt from memory.
public enum Decrypted: Sendable {
    case plaintext(Plaintext)
    /// The KEK is known but not open; ask again with `decrypt(_:until:)`.
    case cold(ColdDecryption)
}

/// A checked request for a decryption under a KEK that is not in memory.
public struct ColdDecryption: Sendable {
    /// 58 to 1024 bytes; nothing of it is authenticated yet.
    public let ciphertext: [UInt8]
    /// The API that the request came by.
    public let api: KMSAPI
    /// The KEK that the ciphertext names.
    public let kekID: KEKID

    /// A request.
    public init(ciphertext: [UInt8], api: KMSAPI, kekID: KEKID) {
        self.ciphertext = ciphertext
        self.api = api
        self.kekID = kekID
    }
}
