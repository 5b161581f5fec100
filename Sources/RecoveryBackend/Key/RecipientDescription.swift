internal import Crypto
internal import Keyring

/// What a record keeps about a recovery key: version(1), then fields tag(1) ‖ length(1) ‖ value in the order of their
/// tags, empty ones left out. Not the key itself: it would be stored with every object, and RSA keys are long; who seals
/// has the file. Frozen: docs/formats.md.
struct RecipientDescription: Sendable, Equatable {
    static let kind = "recovery"

    private static let version: UInt8 = 1
    private static let maximumSubjectSize = 128

    /// `rsa3072`, `p384`.
    let algorithm: String
    /// The one of the seals.
    let keyIdentifier: [UInt8]
    /// SHA-256 of the SubjectPublicKeyInfo.
    let keyDigest: [UInt8]
    /// ASCII, cut to 128 bytes.
    let subject: String

    init(_ key: RecipientKey) {
        algorithm = key.key.algorithm.name
        keyIdentifier = key.keyIdentifier
        keyDigest = key.key.digest
        subject = String(key.subject.prefix(RecipientDescription.maximumSubjectSize))
    }

    var encoded: [UInt8] {
        let fields = [Array(algorithm.utf8), keyIdentifier, keyDigest, Array(subject.utf8)]
        return zip(UInt8(1)..., fields).reduce(into: [RecipientDescription.version]) { bytes, field in
            if !field.1.isEmpty { bytes += [field.0, UInt8(truncatingIfNeeded: field.1.count)] + field.1 }
        }
    }

    /// "recovery:" and 26 base32 characters over what identifies the key.
    func recipient() throws(RecoveryError) -> Recipient {
        let identity =
            RecoverySeal.lengthPrefixed(Array("trousseau recovery recipient v1".utf8))
            + RecoverySeal.lengthPrefixed(keyDigest)
        let id = RecipientDescription.kind + ":" + Base32.encode(Array(try hash(identity).prefix(16)))
        return Recipient(id: id, kind: RecipientDescription.kind, description: encoded)
    }
}
