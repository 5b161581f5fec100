internal import Configuration
internal import Glibc
internal import KMSServer
internal import Keyring
internal import Operations
internal import Synchronization

/// `trousseau serve`.
enum ServeCommand {
    /// From the first signal to the end: kubelet and systemd wait longer than that.
    static let stopLimit = Duration.seconds(8)
    /// Of it, for backends to end their sessions after the last call was answered.
    private static let shutdownLimit = Duration.seconds(2)

    static func run(configuration path: String) throws(CommandFailure) -> ExitCode {
        // Before any thread exists that could take a signal.
        guard let signals = StopSignals() else {
            throw CommandFailure(
                .failure, "signalfd: \(String(cString: strerror(errno)))",
                hint: "raise the limit of open files (LimitNOFILE)")
        }
        let configuration = try ConfigurationLoading.load(path)
        let log = OperationsComposition.log(configuration.log).log
        for warning in try Hardening.apply(allowUnlockedMemory: configuration.server.allowUnlockedMemory) {
            log(.warning, warning)
        }
        let notification = ServiceNotification.fromEnvironment
        let service = try service(configuration, notification, log)
        let control = RunningPlugin(service: service, signals: signals)
        let server = Server(
            ServerComposition.server(configuration.server), service: service, control: control, log: log)
        control.show(server)
        do throws(ServerError) {
            try server.start()
        } catch {
            throw CommandFailure(.failure, "\(error.subject): \(error.reason)", hint: error.hint)
        }
        log(
            .info, "listening", ("version", Trousseau.version), ("socket", configuration.server.socket.path),
            ("control", configuration.server.control.path), ("pid", String(getpid())))
        // Before the start's end, which may not come while a device is away.
        let operations = OperationsComposition.server(
            configuration.metrics, service: service, statistics: { server.statistics() }, log: log)
        notification.ready("opening the keyring")
        let keyring = Task.detached { await service.run() }
        let cause = signals.wait()
        log(.info, "stopping", ("cause", text(cause)))
        notification.stopping()
        operations?.stop()
        keyring.cancel()
        return stop(server, service, signals, log)
    }

    private static func service(
        _ configuration: PluginConfiguration, _ notification: ServiceNotification, _ log: Log
    ) throws(CommandFailure) -> KeyringService {
        let chain = try KeyringComposition.chain(configuration, log: log)
        let trustedKeyIDs = try KeyringComposition.trustedKeyIDs(configuration)
        let service: KeyringService
        do throws(KeyringError) {
            service = try KeyringService(
                directory: configuration.keyring.directory, name: configuration.keyring.name, chain: chain,
                minimumSeals: configuration.keyring.minimumSeals,
                trustedKeyIDs: trustedKeyIDs, log: log,
                onChange: { state in
                    notification.status(state.description)
                    // Libraries are loaded and keys are open: from here on little more is needed.
                    if state.phase == .serving { Hardening.giveBackStartMemory() }
                })
        } catch {
            throw KeyringComposition.failure(error)
        }
        // After the keyring was found: nothing is made where there is none.
        try KeyringComposition.makeGuardDirectory(configuration)
        return service
    }

    /// Lets the calls in flight end, then the backends; a second signal, or the time limit, ends it at once.
    private static func stop(
        _ server: Server, _ service: KeyringService, _ signals: StopSignals, _ log: Log
    ) -> ExitCode {
        let deadline = ContinuousClock.now + stopLimit
        let drained = Mutex<Bool?>(nil)
        let work: @Sendable () -> Void = {
            let isDrained = server.stop(until: deadline - shutdownLimit)
            BlockingTask.run { await service.shutdown(until: deadline) }
            drained.withLock { $0 = isDrained }
            signals.wake()
        }
        do throws(SystemThread.Failure) {
            try SystemThread("stop", work).detach()
        } catch {
            // No thread is left: then without an ear for a second signal.
            work()
        }
        while true {
            let event = signals.wait(atMost: max(.zero, deadline - .now) + .milliseconds(100))
            switch event {
            case .woken:
                // `trousseau stop` wakes this thread, too.
                guard let isDrained = drained.withLock({ $0 }) else { continue }
                if !isDrained { log(.warning, "some calls did not end in time and were cut off") }
                log(.info, "stopped")
                return .success
            case .signal:
                log(.warning, "second signal: ended at once")
                return .success
            case .timeout:
                log(.warning, "a device did not answer in time: ended without it")
                return .success
            }
        }
    }

    private static func text(_ event: StopSignals.Event) -> String {
        switch event {
        case .signal(SIGTERM): "SIGTERM"
        case .signal(SIGINT): "SIGINT"
        case .signal(let number): "signal \(number)"
        case .woken: "trousseau stop"
        case .timeout: "timeout"
        }
    }
}
