internal import Configuration
internal import Keyring
internal import PKCS11Backend
internal import RecoveryBackend
internal import TPMBackend
internal import VaultBackend

/// Makes backends of their sections. To add a kind of backend, make it here.
enum BackendComposition {
    /// Where PIN guards are, in the keyring's folder: they have to outlive the process as the keyring does.
    static func guardDirectory(_ keyring: PluginConfiguration.Keyring) -> String { keyring.directory + "/pin-guard" }

    /// Where the TPM's pinned storage root key is, and what its PIN guard remembers.
    static func tpmDirectory(_ keyring: PluginConfiguration.Keyring) -> String { keyring.directory + "/tpm" }

    /// In the order of the configuration. Opens nothing.
    ///
    /// - Throws: `CommandFailure` with code `configuration`.
    static func backends(_ configuration: PluginConfiguration, log: Log) throws(CommandFailure) -> [any SealingBackend]
    {
        var backends: [any SealingBackend] = []
        for backend in configuration.backends {
            switch backend.kind {
            case .pkcs11(let section):
                let directory = guardDirectory(configuration.keyring)
                do throws(PKCS11Error) {
                    backends.append(
                        try PKCS11Backend(pkcs11(section, name: backend.name, guardDirectory: directory), log: log))
                } catch {
                    throw CommandFailure(.configuration, "backend \(backend.name): \(error.message)", hint: error.hint)
                }
            case .tpm(let section):
                backends.append(try tpmBackend(section, name: backend.name, configuration.keyring, log))
            case .vault(let section):
                do throws(VaultError) {
                    backends.append(
                        try VaultBackend(vault(section, name: backend.name), log: log) {
                            Hardening.giveBackStartMemory()
                        })
                } catch {
                    throw CommandFailure(.configuration, "backend \(backend.name): \(error.message)", hint: error.hint)
                }
            case .recovery(let section):
                let configuration = RecoveryConfiguration(name: backend.name, certificate: section.certificate)
                do throws(RecoveryError) {
                    backends.append(try RecoveryBackend(configuration))
                } catch {
                    throw CommandFailure(.configuration, "backend \(backend.name): \(error.message)", hint: error.hint)
                }
            }
        }
        return backends
    }

    /// Those alone that measure the machine, in the order of the configuration. Opens nothing.
    ///
    /// - Throws: `CommandFailure` with code `configuration`.
    static func measuredBackends(
        _ configuration: PluginConfiguration, log: Log
    ) throws(CommandFailure) -> [any MeasuredBackend] {
        var backends: [any MeasuredBackend] = []
        for backend in configuration.backends {
            guard case .tpm(let section) = backend.kind else { continue }
            backends.append(try tpmBackend(section, name: backend.name, configuration.keyring, log))
        }
        return backends
    }

    private static func tpmBackend(
        _ section: PluginConfiguration.TPM, name: String, _ keyring: PluginConfiguration.Keyring, _ log: Log
    ) throws(CommandFailure) -> TPMBackend {
        do throws(TPMError) {
            return try TPMBackend(tpm(section, name: name, stateDirectory: tpmDirectory(keyring)), log: log)
        } catch {
            throw CommandFailure(.configuration, "backend \(name): \(error.message)", hint: error.hint)
        }
    }

    /// What is wrong with values of PCRs that are to come, for the command line's own check; nil when nothing is.
    static func problem(statesToCome states: [String]) -> (reason: String, hint: String?)? {
        do throws(TPMError) {
            _ = try LiteralPolicy(toCome: states)
            return nil
        } catch {
            return (error.message, error.hint)
        }
    }

    /// What the backend's module has against a section, for the configuration's own check.
    static func problem(_ section: PluginConfiguration.PKCS11) -> (reason: String, hint: String?)? {
        do throws(PKCS11Error) {
            // The folder of the guard comes from another section, which has its own check.
            _ = try PKCS11Backend(pkcs11(section, name: "-", guardDirectory: "/"), log: .none)
            return nil
        } catch {
            return (error.message, error.hint)
        }
    }

    /// The same for Vault.
    static func problem(_ section: PluginConfiguration.Vault) -> (reason: String, hint: String?)? {
        do throws(VaultError) {
            _ = try VaultBackend(vault(section, name: "-"), log: .none)
            return nil
        } catch {
            return (error.message, error.hint)
        }
    }

    private static func vault(_ section: PluginConfiguration.Vault, name: String) -> VaultConfiguration {
        let login: VaultConfiguration.Login =
            switch section.login {
            case .tokenFile(let file): .tokenFile(file)
            case .appRole(let mount, let roleID, let secretID, let isWrapped):
                .appRole(mount: mount, roleIDFile: roleID, secretIDFile: secretID, isWrapped: isWrapped)
            case .kubernetes(let mount, let role, let file): .kubernetes(mount: mount, role: role, tokenFile: file)
            case .jwt(let mount, let role, let file): .jwt(mount: mount, role: role, tokenFile: file)
            case .certificate(let mount, let role): .certificate(mount: mount, role: role)
            }
        var configuration = VaultConfiguration(
            name: name, address: section.address, key: section.key, login: login)
        configuration.otherAddresses = section.otherAddresses
        configuration.namespace = section.namespace
        configuration.mount = section.mount
        configuration.caFile = section.caFile
        configuration.certificateFile = section.certificateFile
        configuration.keyFile = section.keyFile
        configuration.serverName = section.serverName
        configuration.proxy = section.proxy
        return configuration
    }

    /// The same of a TPM's.
    static func problem(_ section: PluginConfiguration.TPM) -> (reason: String, hint: String?)? {
        do throws(TPMError) {
            // The folder of its state comes from another section, which has its own check.
            _ = try TPMBackend(tpm(section, name: "-", stateDirectory: "/"), log: .none)
            return nil
        } catch {
            return (error.message, error.hint)
        }
    }

    private static func tpm(
        _ section: PluginConfiguration.TPM, name: String, stateDirectory: String
    ) throws(TPMError) -> TPMConfiguration {
        var configuration = TPMConfiguration(name: name, stateDirectory: stateDirectory)
        configuration.tcti = section.device
        configuration.pinSource = section.pinSource
        configuration.idleClose = section.idleClose
        switch section.policy {
        case .none: break
        case .signed(let pcrs?, let publicKey, let signatures):
            configuration.policy = .signed(
                try SignedPolicy(pcrs: pcrs, publicKey: publicKey, signatures: signatures))
        case .signed(nil, let publicKey, let signatures):
            configuration.policy = .signed(try SignedPolicy(publicKey: publicKey, signatures: signatures))
        case .literal(let pcrs): configuration.policy = .literal(try LiteralPolicy(pcrs: pcrs))
        }
        return configuration
    }

    private static func pkcs11(
        _ section: PluginConfiguration.PKCS11, name: String, guardDirectory: String
    ) -> PKCS11Configuration {
        var configuration = PKCS11Configuration(
            name: name, module: section.module, key: section.key, pinSource: section.pinSource,
            guardDirectory: guardDirectory)
        configuration.maxSessions = section.maxSessions
        configuration.allowUnsafeKey = section.allowUnsafeKey
        configuration.allowPINCountLow = section.allowPINCountLow
        configuration.allowSHA1OAEP = section.allowSHA1OAEP
        return configuration
    }
}
