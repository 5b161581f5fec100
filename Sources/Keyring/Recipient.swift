/// One sealing key, and all that is needed to seal to it.
public struct Recipient: Sendable, Hashable {
    /// Stable and printable: kind, ":", and 26 base32 characters (128 bits) of SHA-256 over what identifies the key.
    public let id: String
    /// The backend's kind: "pkcs11", "tpm", "vault", "recovery". Kinds unknown to this version are kept.
    public let kind: String
    /// The backend's own description of the recipient; at most 512 bytes.
    public let description: [UInt8]

    /// A recipient.
    public init(id: String, kind: String, description: [UInt8]) {
        self.id = id
        self.kind = kind
        self.description = description
    }
}

/// One KEK sealed to one recipient.
public struct Seal: Sendable, Hashable {
    /// Whom it is sealed to.
    public let recipient: Recipient
    /// The KEK that is sealed; backends bind it into the seal where their mechanism has associated data.
    public let kekID: KEKID
    /// The backend's own format; at most 2048 bytes.
    public let bytes: [UInt8]

    /// A seal.
    public init(recipient: Recipient, kekID: KEKID, bytes: [UInt8]) {
        self.recipient = recipient
        self.kekID = kekID
        self.bytes = bytes
    }
}
