internal import KMSServer

/// Why the running plugin could not be asked.
enum ControlFailure {
    static func make(_ command: String, _ error: ClientError) -> CommandFailure {
        CommandFailure(
            error.code == .notReachable ? .notRunning : .failure, "\(command): \(error.message)", hint: error.hint)
    }
}
