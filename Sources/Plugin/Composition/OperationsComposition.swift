internal import Configuration
internal import KMSServer
internal import Keyring
internal import Operations

/// Makes the operations server of a configuration, and the log.
enum OperationsComposition {
    /// Nil when metrics are off, and when it cannot be had, which is logged: Secrets can be read without metrics.
    static func server(
        _ configuration: PluginConfiguration.Metrics?, service: KeyringService,
        statistics: @escaping @Sendable () -> ServerStatistics, log: Log
    ) -> OperationsServer? {
        guard let configuration else { return nil }
        let process = ProcessMetrics()
        let pages = [
            Page("/metrics", contentType: Exposition.contentType) { _ in
                var exposition = Exposition()
                ServerMetrics.write(statistics(), to: &exposition)
                KeyringMetrics.write(service.report(), to: &exposition)
                exposition.write(
                    .gauge, "trousseau_build_info", "The version.", [.init(["version": Trousseau.version], 1)])
                process.write(to: &exposition)
                return Page.Answer(200, exposition.text)
            },
            Page("/readyz") { isVerbose in
                Probes.ready(service.unreadiness(), isVerbose ? service.report() : nil)
            },
            Page("/livez") { _ in Page.Answer(200, "ok\n") },
        ]
        do throws(OperationsError) {
            let server = try OperationsServer(address(configuration.listen), pages)
            log(.info, "serving metrics", ("address", "\(server.address)"))
            return server
        } catch {
            log(
                .error, "no metrics: cannot serve them", ("subject", error.subject), ("error", error.reason),
                ("hint", error.hint))
            return nil
        }
    }

    /// The log of `serve`.
    static func log(_ configuration: PluginConfiguration.Log) -> LogWriter {
        let minimum: Log.Level =
            switch configuration.level {
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
        let format: OutputFormat =
            switch configuration.format {
            case .text: .text
            case .json: .json
            }
        return LogWriter(minimum: minimum, format: format)
    }

    private static func address(_ listen: PluginConfiguration.Metrics.Listen) -> ListeningAddress {
        switch listen {
        case .ipv4(let bits, let port): .ipv4(bits, port: port)
        case .ipv6Loopback(let port): .ipv6Loopback(port: port)
        case .unix(let path): .unix(path)
        }
    }
}
