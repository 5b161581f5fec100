internal import Crypto
internal import Glibc
internal import Keyring
internal import RecoveryBackend

/// `trousseau recovery-key new`.
enum RecoveryKeyCommand {
    static func run(_ options: Command.RecoveryKey) throws(CommandFailure) -> ExitCode {
        // Before anybody types a passphrase.
        for file in [options.keyFile, options.certificateFile] { try NewFile.check(file) }
        // It may well be made on a machine that never runs the plugin; say what could not be had, and go on.
        let writer = LogWriter(minimum: .warning)
        for warning in try Hardening.apply(allowUnlockedMemory: true) { writer.log(.warning, warning) }
        let pair = try make(options)
        try pair.privateKey.withUnsafeBytes { (bytes) throws(CommandFailure) in
            try NewFile.write(bytes, to: options.keyFile, mode: 0o600)
        }
        do throws(CommandFailure) {
            try pair.certificate.span.withUnsafeBytes { (bytes) throws(CommandFailure) in
                try NewFile.write(bytes, to: options.certificateFile, mode: 0o644)
            }
        } catch {
            unlink(options.keyFile)
            throw error
        }
        StandardStreams.write(text(options, pair.recipient))
        return .success
    }

    private static let commonName = "trousseau recovery key"

    private static func make(_ options: Command.RecoveryKey) throws(CommandFailure) -> RecoveryKeyPair {
        let file: String?
        switch options.passphrase {
        case .terminal: file = nil
        case .file(let path): file = path
        case .none:
            do throws(RecoveryError) {
                return try RecoveryKeyPair.generateUnencrypted(options.type, commonName: commonName)
            } catch {
                throw CommandFailure(.failure, error.message, hint: error.hint)
            }
        }
        let passphrase = try PassphraseInput.readNew(file: file)
        do throws(RecoveryError) {
            return try RecoveryKeyPair.generate(options.type, passphrase: passphrase, commonName: commonName)
        } catch {
            throw CommandFailure(.failure, error.message, hint: error.hint)
        }
    }

    private static func text(_ options: Command.RecoveryKey, _ recipient: Recipient) -> String {
        let protection =
            options.passphrase == .none
            ? "It is NOT encrypted: whoever reads the file opens every KEK." : "It is encrypted with the passphrase."
        return """
            private key: \(options.keyFile)
            certificate: \(options.certificateFile)
            recipient:   \(recipient.id)

            The private key opens every KEK that is sealed to the certificate. \(protection)
            - Move it to two media that stay offline, in two places, and remove it from this machine (shred -u).
            - Keep the passphrase apart from both, and the key_id that init prints with them.
            - The certificate is not secret, but whoever exchanges it gets the next KEK: let only root write to it.
            - Name it in the configuration of every node:
              backends:
              - name: recovery
                recovery: {certificate: \(options.certificateFile)}
            - Try it out once a year: docs/recovery.md, "A rehearsal".

            """
    }
}
