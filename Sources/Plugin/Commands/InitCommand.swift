internal import Configuration
internal import Keyring

/// `trousseau init`.
enum InitCommand {
    static func run(_ options: Command.Initialize) throws(CommandFailure) -> ExitCode {
        let configuration = try ConfigurationLoading.load(options.configuration)
        let writer = LogWriter(minimum: .warning)
        for warning in try Hardening.apply(allowUnlockedMemory: configuration.server.allowUnlockedMemory) {
            writer.log(.warning, warning)
        }
        let chain = try KeyringComposition.chain(configuration, log: writer.log)
        try KeyringComposition.makeGuardDirectory(configuration)
        let keyring = configuration.keyring
        let created = BlockingTask.run { () -> Result<KeyringCreation.Created, KeyringError> in
            let result: Result<KeyringCreation.Created, KeyringError>
            do throws(KeyringError) {
                result = .success(
                    try await KeyringCreation.run(
                        directory: keyring.directory, name: keyring.name, chain: chain,
                        minimumSeals: keyring.minimumSeals, generateMissingKeys: options.generateKeys,
                        log: writer.log))
            } catch {
                result = .failure(error)
            }
            await chain.shutdown(until: .now + .seconds(5))
            return result
        }
        do throws(KeyringError) {
            print(try created.get(), directory: keyring.directory, options.output)
        } catch {
            throw KeyringComposition.failure(error)
        }
        return .success
    }

    private static func print(_ created: KeyringCreation.Created, directory: String, _ format: OutputFormat) {
        switch format {
        case .text: StandardStreams.write(text(created, directory: directory))
        case .json: StandardStreams.write(json(created, directory: directory).text)
        }
    }

    private static func text(_ created: KeyringCreation.Created, directory: String) -> String {
        var table = Table("RECIPIENT", "BACKEND", "SEAL")
        for seal in created.seals {
            table.add(
                seal.recipientID ?? seal.kind, seal.backend ?? "",
                seal.state.rawValue + (seal.isLocal ? ", this node's" : ""))
        }
        return """
            keyring \(created.keyring.name) made in \(directory)

            \(table.text)
            key_id: \(created.keyID.text)

            Keep the key_id in a safe place: it tells this keyring from a forged one. It is not secret.

            """ + (created.isAuthenticated ? "" : trustNeeded(created.keyID))
    }

    private static func trustNeeded(_ keyID: KeyID) -> String {
        """

        All its seals are made with public keys, so that anyone could have made them. A start opens them only on your
        word; write it into the configuration:

        keyring:
          trustedKeyIDs: [\(keyID.text)]

        """
    }

    private static func json(_ created: KeyringCreation.Created, directory: String) -> JSONValue {
        .members(
            ("keyring", .string(created.keyring.name)), ("directory", .string(directory)),
            ("keyID", .string(created.keyID.text)), ("kekID", .string(created.kekID.description)),
            ("authenticated", .bool(created.isAuthenticated)),
            ("seals", .array(created.seals.map(StatusJSON.seal))))
    }
}
