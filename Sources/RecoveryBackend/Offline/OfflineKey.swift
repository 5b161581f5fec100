internal import COpenSSL
public import Crypto

/// The private half of a recovery key, brought to a machine for `trousseau recover`. libcrypto keeps its numbers on the
/// secure heap.
public final class OfflineKey: Sendable {
    let key: PublicKey

    private init(_ key: PublicKey) { self.key = key }

    /// Reads a PEM file with a private key.
    ///
    /// - Parameter passphrase: asked for only when the file is encrypted; at most 512 bytes.
    /// - Throws: `keyFile`, `keyRefused`, `passphrase`, `cryptography`, or what `passphrase` throws.
    public static func read(
        _ path: String, passphrase: () throws -> SecretBytes
    ) throws -> OfflineKey {
        let pem = try KeyFile.readSecret(path)
        if let key = try parse(pem, path, passphrase: nil) { return key }
        let secret = try passphrase()
        let key = try secret.withUnsafeBytes { (bytes) throws(RecoveryError) in
            try parse(pem, path, passphrase: bytes)
        }
        guard let key else {
            throw RecoveryError(.passphrase, "\(path): the passphrase is wrong", hint: "check it, and try again")
        }
        return key
    }

    /// - Returns: nil when a passphrase was asked for and there was none, or it was wrong.
    private static func parse(
        _ pem: borrowing SecretBytes, _ path: String, passphrase: UnsafeRawBufferPointer?
    ) throws(RecoveryError) -> OfflineKey? {
        let context = try library()
        var answer = Passphrase.Answer(passphrase: passphrase)
        let raw = try pem.withUnsafeBytes { (bytes) throws(RecoveryError) in
            let input = try MemoryBIO(reading: bytes)
            return PEM_read_bio_PrivateKey_ex(input.raw, nil, Passphrase.callback, &answer, context, nil)
        }
        guard let raw else {
            let reason = CryptoError.library("PEM_read_bio_PrivateKey_ex")
            if answer.wasAsked { return nil }
            throw RecoveryError(
                .keyFile, "\(path): no private key in PEM: \(reason)", hint: "name the file of the recovery key itself")
        }
        do throws(RecoveryError) {
            return OfflineKey(try PublicKey(taking: raw))
        } catch {
            throw RecoveryError(error.code, "\(path): \(error.message)", hint: error.hint, errorClass: error.errorClass)
        }
    }
}
