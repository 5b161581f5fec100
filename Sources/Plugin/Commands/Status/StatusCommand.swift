internal import Crypto
internal import Configuration
internal import KMSServer
internal import Keyring

/// `trousseau status`: of the running plugin, or from the files when none runs.
enum StatusCommand {
    private static let timeout = Duration.seconds(5)
    /// With devices that are asked whether the policies of their seals are satisfied.
    static let policyPatience = Duration.seconds(2)

    static func run(configuration path: String, _ format: OutputFormat) throws(CommandFailure) -> ExitCode {
        let report = try report(try ConfigurationLoading.load(path))
        StandardStreams.write(format == .json ? report.text : StatusText.render(report))
        return .success
    }

    private static func report(_ configuration: PluginConfiguration) throws(CommandFailure) -> JSONValue {
        if let answer = try ask(configuration.server.control.path) { return answer }
        var report: KeyringReport
        do throws(KeyringError) {
            report = try KeyringReport.reading(directory: configuration.keyring.directory)
        } catch {
            throw KeyringComposition.failure(error)
        }
        try ask(configuration, &report)
        return StatusJSON.files(report)
    }

    /// Adds what the devices that measure this machine say of the policies of the active KEK's seals: no plugin asks them.
    private static func ask(
        _ configuration: PluginConfiguration, _ report: inout KeyringReport
    ) throws(CommandFailure) {
        let backends = try BackendComposition.measuredBackends(configuration, log: .none)
        let recipients = report.activeRecipients
        guard !backends.isEmpty else { return }
        report.policies = BlockingTask.run {
            var reports: [PolicyReport] = []
            for backend in backends {
                reports += await backend.policies(of: recipients, until: .now + policyPatience)
                await backend.shutdown(until: .now + policyPatience)
            }
            return reports
        }
        for backend in backends {
            report.warnings += backend.notices.map { "backend \(backend.name): \($0)" }
        }
    }

    /// Nil when no plugin runs.
    private static func ask(_ socket: String) throws(CommandFailure) -> JSONValue? {
        let bytes: [UInt8]
        do throws(ClientError) {
            bytes = try ControlClient.report(socket: socket, timeout: timeout)
        } catch {
            guard error.code == .notReachable else { throw ControlFailure.make("status", error) }
            return nil
        }
        do throws(JSONError) {
            return try JSONParser.parse(bytes)
        } catch {
            throw CommandFailure(
                .failure, "status: the plugin's answer is no JSON at byte \(error.offset): \(error.reason)",
                hint: "is it another program that listens on \(socket)?")
        }
    }
}
