internal import Configuration
internal import Glibc
internal import Keyring

/// Makes the sealing chain and the keyring of a configuration.
enum KeyringComposition {
    /// The chain of all backends, in the order of the configuration. Opens nothing.
    ///
    /// - Throws: `CommandFailure` with code `configuration`.
    static func chain(_ configuration: PluginConfiguration, log: Log) throws(CommandFailure) -> SealingChain {
        let backends = try BackendComposition.backends(configuration, log: log)
        let members = zip(backends, configuration.backends).map { backend, section in
            SealingChain.Member(
                backend, unsealOnly: section.unsealOnly, deadline: section.deadline, hedgeAfter: section.hedgeAfter)
        }
        return SealingChain(members, openDeadline: configuration.keyring.openDeadline, log: log)
    }

    /// The folders for PIN guards and for the TPM's pin, inside the keyring's, made with their parents where they are
    /// missing: a backend must be able to remember a refused PIN before it sends the first one.
    ///
    /// - Throws: `CommandFailure` with code `keyring`.
    static func makeGuardDirectory(_ configuration: PluginConfiguration) throws(CommandFailure) {
        try makeDirectory(BackendComposition.guardDirectory(configuration.keyring))
        let hasTPM = configuration.backends.contains { backend in
            if case .tpm = backend.kind { true } else { false }
        }
        if hasTPM { try makeDirectory(BackendComposition.tpmDirectory(configuration.keyring)) }
    }

    private static func makeDirectory(_ path: String) throws(CommandFailure) {
        var prefix = ""
        for part in path.split(separator: "/") {
            prefix += "/" + part
            guard mkdir(prefix, 0o700) == 0 || errno == EEXIST else {
                throw CommandFailure(
                    .keyring, "mkdir \(prefix): \(String(cString: strerror(errno)))",
                    hint: "make it, owned by the plugin's user, or correct keyring.directory")
            }
        }
    }

    /// The operator's word for KEKs whose seals anyone could have made.
    ///
    /// - Throws: `CommandFailure` with code `configuration`.
    static func trustedKeyIDs(_ configuration: PluginConfiguration) throws(CommandFailure) -> [KeyID] {
        var keyIDs: [KeyID] = []
        for text in configuration.keyring.trustedKeyIDs {
            do throws(FormatError) {
                keyIDs.append(try KeyID(text))
            } catch {
                throw CommandFailure(
                    .configuration, "keyring.trustedKeyIDs: \(text): \(error)", hint: "copy it from what init printed")
            }
        }
        return keyIDs
    }

    /// A failure of the keyring, for the command line.
    static func failure(_ error: KeyringError) -> CommandFailure {
        let code: ExitCode =
            switch error.code {
            case .store, .name, .notOpen: .keyring
            case .tooFewSeals, .reseal, .recovery, .format, .cryptography: .failure
            }
        return CommandFailure(code, error.message, hint: error.hint)
    }
}
