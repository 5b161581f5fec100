internal import Crypto

/// A Vault token, in secure memory, wiped with the last reference.
final class VaultToken: Sendable {
    /// Longer ones exist in no version.
    static let limit = 4096

    let bytes: SecretBytes

    init(_ bytes: consuming SecretBytes) {
        self.bytes = bytes
    }

    /// Whether both are the same; compared in constant time.
    func isSame(as other: VaultToken) -> Bool { bytes.isEqual(to: other.bytes) }
}

extension VaultToken: CustomStringConvertible, CustomReflectable {
    /// Nothing of the token.
    var description: String { "a token" }
    /// No children: `dump` shows nothing of the token.
    var customMirror: Mirror { Mirror(self, children: [] as [Mirror.Child]) }
}
