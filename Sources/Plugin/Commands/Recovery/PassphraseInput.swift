internal import Crypto
internal import RecoveryBackend

/// Passphrases of recovery keys, from where the command line says.
enum PassphraseInput {
    private static let hint = "name a file with --passphrase-file"

    /// For opening a key.
    ///
    /// - Parameter file: nil: the terminal is asked.
    static func read(file: String?, for key: String) throws(CommandFailure) -> SecretBytes {
        guard let file else {
            return try Terminal(for: "the passphrase", hint: hint).secret("passphrase of \(key): ")
        }
        return try read(file)
    }

    /// For a new key: typed twice, since a typing error would be found out on the worst of days.
    static func readNew(file: String?) throws(CommandFailure) -> SecretBytes {
        guard let file else {
            let terminal = try Terminal(for: "the passphrase", hint: hint + ", or use --no-passphrase")
            let first = try terminal.secret("passphrase for the private key: ")
            let second = try terminal.secret("the same again: ")
            guard first.isEqual(to: second) else { throw CommandFailure(.failure, "the passphrases differ") }
            return first
        }
        return try read(file)
    }

    private static func read(_ file: String) throws(CommandFailure) -> SecretBytes {
        do throws(RecoveryError) {
            return try PassphraseFile.read(file)
        } catch {
            throw CommandFailure(.failure, error.message, hint: error.hint)
        }
    }
}
