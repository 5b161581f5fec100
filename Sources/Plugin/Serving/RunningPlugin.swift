internal import KMSServer
internal import Keyring
internal import Glibc
internal import Synchronization

/// What the control socket may ask of this process.
final class RunningPlugin: ControlService {
    private let service: KeyringService
    private let signals: StopSignals
    private let started = ContinuousClock.now
    /// Set once, before the server starts; the server holds this object, so not strongly.
    private let statistics = Mutex<(@Sendable () -> ServerStatistics?)?>(nil)

    init(service: KeyringService, signals: StopSignals) {
        self.service = service
        self.signals = signals
    }

    /// The server whose statistics a report shows.
    func show(_ server: Server) {
        statistics.withLock { $0 = { [weak server] in server?.statistics() } }
    }

    func report(until: ContinuousClock.Instant) async -> [UInt8] {
        // Who looks at the status wants to see that a device is away, not to wait for it.
        let policies = await service.policies(until: min(until, .now + StatusCommand.policyPatience))
        let process = StatusJSON.Process(pid: Int(getpid()), uptime: .now - started)
        let server = statistics.withLock { $0 }?() ?? nil
        var report = service.report()
        report.policies = policies
        return Array(StatusJSON.running(report, server, process).text.utf8)
    }

    func reseal(_ options: ResealOptions, until: ContinuousClock.Instant) async throws(KeyringError) -> [UInt8] {
        Array(ResealJSON.report(try await service.reseal(options, until: until), isRunning: true).text.utf8)
    }

    func requestStop() { signals.wake() }
}
