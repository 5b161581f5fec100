internal import Crypto
internal import Configuration
internal import KMSServer
internal import Keyring

/// `trousseau status`: of the running plugin, or from the files when none runs.
enum StatusCommand {
    private static let timeout = Duration.seconds(5)

    static func run(configuration path: String, _ format: OutputFormat) throws(CommandFailure) -> ExitCode {
        let report = try report(try ConfigurationLoading.load(path))
        StandardStreams.write(format == .json ? report.text : StatusText.render(report))
        return .success
    }

    private static func report(_ configuration: PluginConfiguration) throws(CommandFailure) -> JSONValue {
        if let answer = try ask(configuration.server.control.path) { return answer }
        do throws(KeyringError) {
            return StatusJSON.files(try KeyringReport.reading(directory: configuration.keyring.directory))
        } catch {
            throw KeyringComposition.failure(error)
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
