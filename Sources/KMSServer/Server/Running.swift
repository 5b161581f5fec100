internal import CGRPC
internal import Keyring
internal import Synchronization

/// A server between `start` and `stop`.
final class Running: Sendable {
    private let sockets: [Entrance: ListeningSocket]
    private let servers: [Entrance: CallServer]
    private let queue: CompletionQueue
    private let acceptor: Acceptor
    private let queueThread: ServerThread
    private let acceptorThread: ServerThread
    private let log: Log

    /// Messages beyond this size are refused by core. A Decrypt has at most 1 kB of ciphertext, 1 kB of key_id and
    /// 32 KiB of annotations; v1beta1's ciphertexts may have 64 KiB.
    private static let maximumMessage: Int32 = 128 * 1024
    private static let maximumMetadata: Int32 = 16 * 1024
    /// A client's further calls on a connection wait on its side.
    private static let maximumStreams: Int32 = 256
    /// The command line makes one connection a command.
    private static let maximumControlConnections = 8
    private static let maximumControlCalls = 16
    /// How long clients may take, once their calls have ended, to close their connections themselves.
    private static let courtesy: Duration = .milliseconds(200)
    /// What could not be ended in time.
    private static let abandoned = Mutex<[Running]>([])

    private init(
        _ sockets: [Entrance: ListeningSocket], _ servers: [Entrance: CallServer], _ queue: CompletionQueue,
        _ acceptor: Acceptor, _ queueThread: ServerThread, _ acceptorThread: ServerThread, _ log: Log
    ) {
        self.sockets = sockets
        self.servers = servers
        self.queue = queue
        self.acceptor = acceptor
        self.queueThread = queueThread
        self.acceptorThread = acceptorThread
        self.log = log
    }

    // MARK: Start

    static func start(
        _ configuration: ServerConfiguration, _ service: any KeyService, _ control: any ControlService, _ log: Log
    ) throws(ServerError) -> Running {
        GRPCLibrary.start(log: log)
        let queue = CompletionQueue()
        do throws(ServerError) {
            let servers = try makeServers(configuration, service, control, queue, log)
            let sockets = try Entrance.open(configuration)
            do throws(ServerError) {
                return try run(configuration, sockets, servers, queue, log)
            } catch {
                for socket in sockets.values { socket.removeFile() }
                throw error
            }
        } catch {
            queue.shutdown()
            while case .completed = queue.next() {}
            throw error
        }
    }

    private static func makeServers(
        _ configuration: ServerConfiguration, _ service: any KeyService, _ control: any ControlService,
        _ queue: CompletionQueue, _ log: Log
    ) throws(ServerError) -> [Entrance: CallServer] {
        let methods = KMSMethods(service, log: log)
        let arguments = arguments(idleTimeout: configuration.idleTimeout)
        return [
            .kms: try CallServer(
                KMSv2.methods(methods) + KMSv1Beta1.methods(methods, runtimeVersion: configuration.runtimeVersion),
                arguments, queue, timeout: configuration.coldTimeout, deferredLimit: configuration.maximumColdCalls,
                log: log),
            .control: try CallServer(
                ControlMethods.methods(control), arguments, queue, timeout: configuration.coldTimeout,
                deferredLimit: maximumControlCalls, log: log),
        ]
    }

    private static func arguments(idleTimeout: Duration) -> ChannelArguments {
        let (seconds, attoseconds) = idleTimeout.components
        let milliseconds = Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000)
        return .lean
            + ChannelArguments([
                GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH: maximumMessage,
                GRPC_ARG_MAX_METADATA_SIZE: maximumMetadata,
                GRPC_ARG_MAX_CONCURRENT_STREAMS: maximumStreams,
                GRPC_ARG_MAX_CONNECTION_IDLE_MS: milliseconds,
                // Clients may ping as they like. By default core closes connections of those who ping more often than
                // every five minutes.
                GRPC_ARG_HTTP2_MAX_PING_STRIKES: 0,
                GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS: 1,
            ])
    }

    private static func run(
        _ configuration: ServerConfiguration, _ sockets: [Entrance: ListeningSocket],
        _ servers: [Entrance: CallServer], _ queue: CompletionQueue, _ log: Log
    ) throws(ServerError) -> Running {
        let credentials = try ServerCredentials()
        var listeners: [Acceptor.Listener] = []
        for (entrance, socket) in sockets {
            let (policy, limit) =
                switch entrance {
                case .kms: (PeerPolicy(configuration.socket), configuration.maximumConnections)
                case .control: (PeerPolicy(configuration.control), maximumControlConnections)
                }
            listeners.append(
                Acceptor.Listener(entrance: entrance, socket: socket, policy: policy, maximumConnections: limit))
        }
        let acceptor = try Acceptor(listeners, handshakeTimeout: configuration.handshakeTimeout, log: log) {
            servers[$1]?.serve($0, credentials.raw)
        }
        let started = try Event()
        let queueThread = try ServerThread("kms-calls") {
            for server in servers.values { server.start() }
            started.set()
            while case .completed(let tag, let succeeded) = queue.next() {
                CallServer.handle(tag, succeeded: succeeded)
            }
        }
        _ = started.wait(until: .now + .seconds(10))
        do throws(ServerError) {
            let acceptorThread = try ServerThread("kms-accept") { acceptor.run() }
            return Running(sockets, servers, queue, acceptor, queueThread, acceptorThread, log)
        } catch {
            for server in servers.values { server.shutdown() }
            for server in servers.values { _ = server.isShutDown.wait(until: .now + .seconds(1)) }
            queue.shutdown()
            _ = queueThread.join(until: .now + .seconds(1))
            throw error
        }
    }

    // MARK: Stop

    /// As `Server.stop`.
    func stop(until deadline: ContinuousClock.Instant) -> Bool {
        // First of all: whoever comes now learns at once that nobody is there. The lock keeps a successor out until the
        // end.
        for socket in sockets.values { socket.removeFile() }
        acceptor.stop()
        var isClean = acceptorThread.join(until: deadline)
        for server in servers.values { server.shutdown() }
        for server in servers.values { isClean = server.counters.drained.wait(until: deadline) && isClean }
        // Core sends GOAWAY and waits, up to 20 s, for clients to answer it. Without calls there is nothing to wait for.
        let farewell = min(deadline, .now + Running.courtesy)
        for server in servers.values { _ = server.isShutDown.wait(until: farewell) }
        for server in servers.values { server.cancelAll() }
        // Closing takes no time, but a deadline that has passed already must not make it fail.
        let end = max(deadline, .now + Running.courtesy)
        for server in servers.values { isClean = server.isShutDown.wait(until: end) && isClean }
        if isClean {
            queue.shutdown()
            isClean = queueThread.join(until: end)
        }
        if !isClean {
            log(.warning, "the server did not end in time", ("hint", "a call or a backend hangs"))
            // Core may come back to all of this, as long as the process lives.
            Running.abandoned.withLock { $0.append(self) }
        }
        return isClean
    }

    // MARK: Statistics

    var statistics: ServerStatistics {
        let counts = acceptor.counts
        var statistics = ServerStatistics()
        statistics.connections = counts.open[.kms] ?? 0
        statistics.controlConnections = counts.open[.control] ?? 0
        statistics.acceptedConnections = counts.accepted
        statistics.refused = counts.refused
        statistics.coldCalls = servers[.kms]?.counters.deferred ?? 0
        statistics.requests = Entrance.allCases.flatMap { servers[$0]?.counters.requests ?? [] }
        statistics.durations = servers[.kms]?.counters.durations ?? []
        return statistics
    }
}
