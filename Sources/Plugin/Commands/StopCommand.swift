internal import Configuration
internal import KMSServer

/// `trousseau stop`.
enum StopCommand {
    /// As long as a clean stop may take, and a little more.
    private static let limit = Duration.seconds(12)

    static func run(configuration path: String) throws(CommandFailure) -> ExitCode {
        let socket = try ConfigurationLoading.load(path).server.control.path
        do throws(ClientError) {
            try ControlClient.stop(socket: socket, timeout: limit)
        } catch {
            throw ControlFailure.make("stop", error)
        }
        return .success
    }
}
