internal import Configuration

/// The configuration for a command.
enum ConfigurationLoading {
    /// Reads and checks the configuration.
    ///
    /// - Throws: `CommandFailure` with code `configuration` and everything that is wrong.
    static func load(_ path: String) throws(CommandFailure) -> PluginConfiguration {
        do throws(ConfigurationError) {
            return try PluginConfiguration.read(
                path: path, checkPKCS11: { BackendComposition.problem($0) },
                checkTPM: { BackendComposition.problem($0) }, checkVault: { BackendComposition.problem($0) })
        } catch {
            throw failure(error)
        }
    }

    /// Every finding in a line of its own, `file:line: key: reason`, with its hint below it.
    static func failure(_ error: ConfigurationError) -> CommandFailure {
        let details = error.diagnostics.flatMap { diagnostic in
            [diagnostic.description] + [diagnostic.hint.map { "  \($0)" }].compactMap(\.self)
        }
        let errors = error.diagnostics.count
        let count = errors == 1 ? "1 error" : "\(errors) errors"
        return CommandFailure(.configuration, "the configuration is refused: \(count)", details: details)
    }
}
