internal import Crypto
internal import Configuration
internal import KMSServer
internal import Keyring

/// `trousseau reseal`: by the running plugin, or on the files when none runs.
enum ResealCommand {
    /// Of all the work: a keyring of many KEKs on a slow device takes minutes.
    private static let timeout = Duration.seconds(600)

    static func run(_ command: Command.Reseal) throws(CommandFailure) -> ExitCode {
        let configuration = try ConfigurationLoading.load(command.configuration)
        if !command.pcrs.isEmpty, let problem = BackendComposition.problem(statesToCome: command.pcrs) {
            throw CommandFailure(.usage, "reseal: --pcrs: \(problem.reason)", hint: problem.hint)
        }
        let options = ResealOptions(
            backend: command.backend, generateKeys: command.generateKeys, dropReplaced: command.dropReplaced,
            expecting: command.pcrs)
        if command.dropReplaced, !command.isConfirmed { try confirm(configuration) }
        let answer = try ask(configuration.server.control.path, options)
        let report = if let answer { answer } else { try onFiles(configuration, options) }
        let warnings = answer == nil ? [] : differences(configuration, report) + ignored(options, report)
        switch command.output {
        case .text: StandardStreams.write(ResealText.render(report, warnings))
        case .json:
            StandardStreams.write(report.text)
            for warning in warnings { StandardStreams.writeError("trousseau: \(warning)\n") }
        }
        return report["complete"] == .bool(true) && warnings.isEmpty ? .success : .failure
    }

    private static func confirm(_ configuration: PluginConfiguration) throws(CommandFailure) {
        let names = configuration.backends.filter(\.unsealOnly).map(\.name).joined(separator: ", ")
        let keyring = configuration.keyring.name
        let keys =
            names.isEmpty
            ? "" : "The sealing keys of \(names) will be removed from the keyring \(keyring), for good.\n"
        let terminal = try Terminal(for: "the confirmation", hint: "add --yes to go on without it")
        let answer = try terminal.line(
            keys
                + "Seals that open without the PIN that their backend has now will be removed from its record, for good.\n"
                + "Type the keyring's name to go on: ")
        guard answer == keyring else {
            throw CommandFailure(.failure, "reseal: not confirmed", hint: "nothing was done")
        }
    }

    /// Nil when no plugin runs.
    private static func ask(_ socket: String, _ options: ResealOptions) throws(CommandFailure) -> JSONValue? {
        let bytes: [UInt8]
        do throws(ClientError) {
            bytes = try ControlClient.reseal(socket: socket, options, timeout: timeout)
        } catch {
            guard error.code == .notReachable else { throw ControlFailure.make("reseal", error) }
            return nil
        }
        do throws(JSONError) {
            return try JSONParser.parse(bytes)
        } catch {
            throw CommandFailure(
                .failure, "reseal: the plugin's answer is no JSON at byte \(error.offset): \(error.reason)",
                hint: "is it another program that listens on \(socket)?")
        }
    }

    private static func onFiles(
        _ configuration: PluginConfiguration, _ options: ResealOptions
    ) throws(CommandFailure) -> JSONValue {
        let writer = LogWriter(minimum: .warning)
        for warning in try Hardening.apply(allowUnlockedMemory: configuration.server.allowUnlockedMemory) {
            writer.log(.warning, warning)
        }
        let chain = try KeyringComposition.chain(configuration, log: writer.log)
        let trustedKeyIDs = try KeyringComposition.trustedKeyIDs(configuration)
        let service: KeyringService
        do throws(KeyringError) {
            service = try KeyringService(
                directory: configuration.keyring.directory, name: configuration.keyring.name, chain: chain,
                minimumSeals: configuration.keyring.minimumSeals,
                trustedKeyIDs: trustedKeyIDs, log: writer.log, onChange: { _ in })
        } catch {
            throw KeyringComposition.failure(error)
        }
        try KeyringComposition.makeGuardDirectory(configuration)
        let result = BlockingTask.run { () -> Result<ResealReport, KeyringError> in
            let result: Result<ResealReport, KeyringError>
            do throws(KeyringError) {
                result = .success(try await service.reseal(options, until: .now + timeout))
            } catch {
                result = .failure(error)
            }
            await service.shutdown(until: .now + .seconds(5))
            return result
        }
        do throws(KeyringError) {
            return ResealJSON.report(try result.get(), isRunning: false)
        } catch {
            throw KeyringComposition.failure(error)
        }
    }

    /// A plugin of an earlier version does not know what it was asked for, and would not say so.
    private static func ignored(_ options: ResealOptions, _ report: JSONValue) -> [String] {
        let done = (report["pcrs"]?.items ?? []).compactMap(\.string)
        guard done != options.expecting else { return [] }
        return [
            "the running plugin is of a version without --pcrs and made no seal to it: restart it, then run reseal again"
        ]
    }

    /// How the running plugin's backends differ from those of the file.
    private static func differences(_ configuration: PluginConfiguration, _ report: JSONValue) -> [String] {
        var running: [String: Bool] = [:]
        for backend in report["backends"]?.items ?? [] {
            if let name = backend["name"]?.string { running[name] = backend["unsealOnly"] == .bool(true) }
        }
        var different = configuration.backends.filter { running[$0.name] != $0.unsealOnly }.map(\.name)
        different += running.keys.filter { name in !configuration.backends.contains { $0.name == name } }.sorted()
        guard !different.isEmpty else { return [] }
        return [
            "the running plugin started with another configuration of \(different.joined(separator: ", ")): restart it, "
                + "then run reseal again"
        ]
    }
}
