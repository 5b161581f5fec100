internal import Configuration
internal import Keyring
internal import RecoveryBackend

/// The commands of the offline way back.
extension Command {
    /// Where a passphrase comes from. Never from the command line, where every user of the machine could read it.
    enum PassphraseSource: Equatable {
        case terminal
        case file(String)
        /// The private key is in clear.
        case none
    }

    struct RecoveryKey: Equatable {
        let keyFile: String
        let certificateFile: String
        let type: RecoveryKeyType
        let passphrase: PassphraseSource
    }

    struct Recover: Equatable {
        let configuration: String
        /// Nil: only the configured backends open.
        let keyFile: String?
        let passphrase: PassphraseSource
        /// Empty: asked for on the terminal.
        let keyIDs: [KeyID]
        let sources: [String]
        let generateKeys: Bool
        let output: OutputFormat
    }

    static func recoveryKey(_ rest: [String]) throws(CommandFailure) -> Command {
        guard rest.first == "new" else {
            throw CommandFailure(
                .usage, "recovery-key: \(rest.first.map { "unknown operation \(Quoted.text($0))" } ?? "no operation")",
                hint: "trousseau recovery-key new")
        }
        let arguments = try Arguments(
            Array(rest.dropFirst()), of: "recovery-key",
            [
                .value("--out-key"), .value("--out-certificate"), .value("--type"), .value("--passphrase-file"),
                .flag("--no-passphrase"),
            ])
        let key = try arguments.required("--out-key", hint: "where the private key goes; it must not exist yet")
        let certificate = try arguments.required(
            "--out-certificate", hint: "where the certificate goes; it must not exist yet")
        guard key != certificate else { throw arguments.failure("--out-key and --out-certificate are the same file") }
        let file = try arguments.string("--passphrase-file")
        guard file == nil || !arguments.has("--no-passphrase") else {
            throw arguments.failure("--passphrase-file and --no-passphrase exclude each other")
        }
        return .recoveryKey(
            RecoveryKey(
                keyFile: key, certificateFile: certificate, type: try arguments.choice("--type", default: .p384),
                passphrase: file.map { .file($0) } ?? (arguments.has("--no-passphrase") ? .none : .terminal)))
    }

    static func recover(_ rest: [String]) throws(CommandFailure) -> Command {
        let arguments = try Arguments(
            rest, of: "recover",
            [
                .value("--config"), .value("--key"), .value("--passphrase-file"), .value("--key-id"),
                .values("--from"), .flag("--generate-keys"), .value("--output"),
            ])
        let sources = try arguments.list("--from")
        guard !sources.isEmpty else {
            throw arguments.failure(
                "--from is missing", hint: "the folder of the lost keyring, or record files")
        }
        var keyIDs: [KeyID] = []
        for text in try arguments.string("--key-id")?.split(separator: ",", omittingEmptySubsequences: false) ?? [] {
            keyIDs.append(try keyID(String(text), arguments))
        }
        return .recover(
            Recover(
                configuration: try arguments.string("--config") ?? defaultConfiguration,
                keyFile: try arguments.string("--key"),
                passphrase: try arguments.string("--passphrase-file").map { .file($0) } ?? .terminal, keyIDs: keyIDs,
                sources: sources, generateKeys: arguments.has("--generate-keys"),
                output: try arguments.choice("--output", default: .text)))
    }

    private static func keyID(_ text: String, _ arguments: Arguments) throws(CommandFailure) -> KeyID {
        do throws(FormatError) {
            return try KeyID(text)
        } catch {
            throw arguments.failure(
                "--key-id \(Quoted.text(text)) is not a key_id",
                hint: "as init, rotate or recover printed it: name/generation/16 characters/8 characters")
        }
    }
}
