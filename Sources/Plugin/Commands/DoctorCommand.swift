internal import Configuration
internal import Crypto
internal import Glibc
internal import KMSServer
internal import Keyring

/// `trousseau doctor`.
enum DoctorCommand {
    /// For the findings of one backend.
    private static let limit = Duration.seconds(15)

    static func run(configuration path: String, _ format: OutputFormat) throws(CommandFailure) -> ExitCode {
        let configuration = try ConfigurationLoading.load(path)
        var findings = [memory(allowUnlocked: configuration.server.allowUnlockedMemory)]
        findings += HostFindings(configuration: configuration, configurationPath: path, user: geteuid()).all
        findings += keyring(configuration)
        findings += try backends(configuration)
        let report = DoctorReport(findings: findings)
        StandardStreams.write(format == .json ? report.json.text : report.text)
        return report.exitCode
    }

    /// Also what protects the PIN that this process reads.
    private static func memory(allowUnlocked: Bool) -> Finding {
        do throws(HardeningError) {
            let report = try ProcessHardening.apply(allowUnlockedMemory: allowUnlocked)
            guard let warning = report.warnings.first else { return Finding(.ok, "memory", "can be locked") }
            return Finding(.warning, "memory", warning, hint: "raise the limit and remove allowUnlockedMemory")
        } catch {
            // What follows still has to work, for this process only.
            try? SecureHeap.initialize(allowUnlocked: true)
            return Finding(.error, "memory", error.message, hint: error.hint)
        }
    }

    private static func keyring(_ configuration: PluginConfiguration) -> [Finding] {
        let directory = configuration.keyring.directory
        let subject = "keyring \(configuration.keyring.name)"
        let report: KeyringReport
        do throws(KeyringError) {
            report = try KeyringReport.reading(directory: directory)
        } catch {
            return [Finding(.error, subject, error.message, hint: error.hint)]
        }
        var findings = report.damagedFiles.map { file in
            Finding(
                .error, "file \(directory)/\(file.file)", file.reason,
                hint: "restore it from a backup; it is left alone until then")
        }
        let name = report.name
        if name != configuration.keyring.name {
            findings.append(
                Finding(
                    .error, subject, "the keyring in \(directory) is named \(name)",
                    hint: "correct keyring.name or keyring.directory"))
        } else if let hint = report.state.hint {
            findings.append(Finding(.error, subject, report.state.reason ?? "cannot be opened", hint: hint))
        } else if let active = report.keks.first(where: { $0.role == .active }) {
            let count = report.keks.count == 1 ? "1 KEK" : "\(report.keks.count) KEKs"
            findings.append(
                Finding(.ok, subject, "\(count), active: \(active.kekID) of generation \(active.generation)"))
        }
        return findings
    }

    private static func backends(_ configuration: PluginConfiguration) throws(CommandFailure) -> [Finding] {
        let chain = try KeyringComposition.chain(configuration, log: .none)
        let directory = configuration.keyring.directory
        return BlockingTask.run {
            var findings: [Finding] = []
            for member in chain.members {
                let backend = member.backend
                var own = await member.diagnose(within: limit)
                // One that only unseals makes none; and one that is not well is not to be asked twice for what it refuses.
                if !member.unsealOnly, !own.contains(where: { $0.severity == .error }) {
                    own += await SealFindings.make(directory: directory, backend: backend, until: .now + limit)
                }
                findings += own.map {
                    Finding($0.severity, "\(backend.name): \($0.subject)", $0.detail, hint: $0.hint)
                }
            }
            await chain.shutdown(until: .now + .seconds(5))
            return findings
        }
    }
}
