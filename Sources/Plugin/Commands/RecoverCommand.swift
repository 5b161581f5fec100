internal import Configuration
internal import Crypto
internal import Glibc
internal import Keyring
internal import RecoveryBackend

/// `trousseau recover`.
enum RecoverCommand {
    static func run(_ options: Command.Recover) throws(CommandFailure) -> ExitCode {
        let configuration = try ConfigurationLoading.load(options.configuration)
        let writer = LogWriter(minimum: .warning)
        for warning in try Hardening.apply(allowUnlockedMemory: configuration.server.allowUnlockedMemory) {
            writer.log(.warning, warning)
        }
        let keyring = configuration.keyring
        let found: FoundRecords
        do throws(KeyringError) {
            found = try FoundRecords.read(options.sources)
        } catch {
            throw KeyringComposition.failure(error)
        }
        let keyIDs = options.keyIDs.isEmpty ? [try askForKeyID()] : options.keyIDs
        let offline = try options.keyFile.map { (file) throws(CommandFailure) in
            try offlineKey(file, options.passphrase)
        }
        let chain = try KeyringComposition.chain(configuration, log: writer.log)
        try KeyringComposition.makeGuardDirectory(configuration)
        let result = BlockingTask.run { () -> Result<RecoveredKeyring, KeyringError> in
            let result: Result<RecoveredKeyring, KeyringError>
            do throws(KeyringError) {
                result = .success(
                    try await KeyringRecovery.run(
                        found, directory: keyring.directory, name: keyring.name, keyIDs: keyIDs, chain: chain,
                        offlineKey: offline, minimumSeals: keyring.minimumSeals,
                        generateMissingKeys: options.generateKeys, log: writer.log))
            } catch {
                result = .failure(error)
            }
            await chain.shutdown(until: .now + .seconds(5))
            return result
        }
        do throws(KeyringError) {
            let recovered = try result.get()
            let report = RecoveryReport(recovered, directory: keyring.directory)
            StandardStreams.write(options.output == .json ? report.json.text : report.text)
        } catch {
            throw KeyringComposition.failure(error)
        }
        return .success
    }

    private static func askForKeyID() throws(CommandFailure) -> KeyID {
        let hint = "give it with --key-id"
        let text = try Terminal(for: "the key_id", hint: hint).line("key_id, as init, rotate or recover printed it: ")
        do throws(FormatError) {
            return try KeyID(text)
        } catch {
            throw CommandFailure(.failure, "\(Quoted.text(text)) is not a key_id", hint: hint)
        }
    }

    private static func offlineKey(
        _ file: String, _ passphrase: Command.PassphraseSource
    ) throws(CommandFailure) -> OfflineKeyBackend {
        do {
            let key = try OfflineKey.read(file) {
                if case .file(let path) = passphrase { return try PassphraseInput.read(file: path, for: file) }
                return try PassphraseInput.read(file: nil, for: file)
            }
            return try OfflineKeyBackend(key)
        } catch let failure as CommandFailure {
            throw failure
        } catch let error as RecoveryError {
            throw CommandFailure(.failure, error.message, hint: error.hint)
        } catch {
            throw CommandFailure(.failure, "\(file): \(error)")
        }
    }
}
