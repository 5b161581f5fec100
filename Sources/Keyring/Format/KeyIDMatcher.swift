/// Tells whether a request's key_id names one KEK, without allocating: for the hot path of Decrypt.
public struct KeyIDMatcher: Sendable {
    /// `<name>/<generation>/<16 base32 characters>/`
    private let prefix: [UInt8]

    /// A matcher for the key_ids of this KEK.
    public init(_ identity: Identity) {
        prefix = Array("\(identity.keyring.name)/\(identity.generation)/\(identity.kekID)/".utf8)
    }

    /// Whether `keyID` is a canonical key_id of this KEK, with whatever publication.
    public func matches(_ keyID: UnsafeRawBufferPointer) -> Bool {
        guard keyID.count == prefix.count + KeyID.publicationCharacters else { return false }
        for index in prefix.indices where keyID[index] != prefix[index] { return false }
        for index in prefix.count..<keyID.count where !KeyID.isBase32(keyID[index]) { return false }
        return true
    }
}
