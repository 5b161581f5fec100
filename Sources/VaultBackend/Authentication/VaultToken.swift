internal import Crypto

/// A Vault token, in secure memory, wiped with the last reference.
final class VaultToken: Sendable {
    let bytes: SecretBytes

    init(_ bytes: consuming SecretBytes) {
        self.bytes = bytes
    }
}

extension VaultToken: CustomStringConvertible, CustomReflectable {
    /// Nothing of the token.
    var description: String { "a token" }
    /// No children: `dump` shows nothing of the token.
    var customMirror: Mirror { Mirror(self, children: [] as [Mirror.Child]) }
}
