public import Crypto

/// A file with a passphrase in one line.
public enum PassphraseFile {
    /// Reads it, without the newline at its end.
    ///
    /// - Throws: `keyFile` when it cannot be read, or others than its owner may read it; `passphrase` when it is empty, or has more than one line.
    public static func read(_ path: String) throws(RecoveryError) -> SecretBytes {
        let content = try KeyFile.readSecret(path, isPrivate: true)
        return try content.withUnsafeBytes { (bytes) throws(RecoveryError) in
            var line = bytes[...]
            if line.last == UInt8(ascii: "\n") { line = line.dropLast() }
            if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
            guard !line.isEmpty, !line.contains(UInt8(ascii: "\n")) else {
                throw RecoveryError(
                    .passphrase, "\(path): \(line.isEmpty ? "empty" : "more than one line")",
                    hint: "write the passphrase into it, in one line")
            }
            do throws(CryptoError) {
                return try SecretBytes(copying: UnsafeRawBufferPointer(rebasing: line))
            } catch {
                throw RecoveryError(error)
            }
        }
    }
}
