public import Keyring
internal import Synchronization

/// A KMS plugin's server: KMS v2 and v1beta1 on one Unix socket, the Control service on another.
///
/// One thread accepts connections, one answers calls, both for both sockets. Decrypts that have to wait for a KEK run on
/// Swift's concurrency.
public final class Server: Sendable {
    private enum State {
        case new
        case running(Running)
        case stopped
    }

    private let configuration: ServerConfiguration
    private let service: any KeyService
    private let control: any ControlService
    private let log: Log
    private let state = Mutex(State.new)

    /// A server that does nothing before `start`.
    public init(
        _ configuration: ServerConfiguration, service: any KeyService, control: any ControlService, log: Log
    ) {
        self.configuration = configuration
        self.service = service
        self.control = control
        self.log = log
    }

    /// Makes the sockets, or takes those that systemd hands over, and serves: connections are accepted when it returns.
    ///
    /// - Throws: `inUse`, `occupied`, `insecure`, `notPermitted`, `invalidPath`, `activation` or `system` as
    ///   `ServerError`; `state` when it was called before. No socket of ours is left then.
    public func start() throws(ServerError) {
        let error = state.withLock { state -> ServerError? in
            guard case .new = state else {
                return ServerError(.state, "server", "was started before", hint: "make a new one")
            }
            do throws(ServerError) {
                state = .running(try Running.start(configuration, service, control, log))
                return nil
            } catch {
                return error
            }
        }
        if let error { throw error }
    }

    /// Stops: accepts nothing more, lets the calls under way end (those that wait for a KEK, too), closes the
    /// connections, joins its threads, removes the socket files that it made. Blocks its thread.
    ///
    /// - Returns: false when the deadline passed before all of that was done. gRPC core may then still use the service,
    ///   and the process should end by `_exit`.
    public func stop(until deadline: ContinuousClock.Instant) -> Bool {
        let running = state.withLock { state -> Running? in
            guard case .running(let running) = state else { return nil }
            state = .stopped
            return running
        }
        return running?.stop(until: deadline) ?? true
    }

    /// What it has counted since its start; nothing before it and after its stop.
    public func statistics() -> ServerStatistics {
        state.withLock { state in
            guard case .running(let running) = state else { return ServerStatistics() }
            return running.statistics
        }
    }
}
