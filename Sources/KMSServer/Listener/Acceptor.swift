internal import CLinux
internal import Glibc
internal import Keyring
internal import Synchronization

/// Lets connections in, on a thread of its own: looks at who the peer is before a byte is read, waits for HTTP/2's
/// preface, and hands the descriptor to gRPC core.
///
/// gRPC core would take a connection that never says anything and keep it until its idle timeout, and it tells nobody
/// when a connection ends. Therefore the preface is awaited here, and `Poller.watches` says which connections are gone.
final class Acceptor: Sendable {
    struct Listener: Sendable {
        let entrance: Entrance
        let socket: ListeningSocket
        let policy: PeerPolicy
        /// Further connections wait in the kernel's backlog: a peer that is closed instead would try again after up to
        /// two minutes (kube-apiserver's backoff), one that waits is served as soon as another one ends.
        let maximumConnections: Int
    }

    struct Counts: Sendable {
        var open: [Entrance: Int] = [:]
        var accepted: UInt64 = 0
        var refused: [ServerStatistics.Refusal: UInt64] = [:]
    }

    private let listeners: [Listener]
    private let handshakeTimeout: Duration
    private let serve: @Sendable (Int32, Entrance) -> Void
    private let log: Log
    private let poller: Poller
    private let stopping: Event
    private let sharedCounts = Mutex(Counts())

    /// - Parameter serve: takes a connection over, descriptor and all.
    init(
        _ listeners: [Listener], handshakeTimeout: Duration, log: Log,
        serve: @escaping @Sendable (Int32, Entrance) -> Void
    ) throws(ServerError) {
        self.listeners = listeners
        self.handshakeTimeout = handshakeTimeout
        self.serve = serve
        self.log = log
        poller = try Poller()
        stopping = try Event()
    }

    var counts: Counts { sharedCounts.withLock { $0 } }

    /// Makes `run` return soon. It closes the connections that gRPC core has not got.
    func stop() { stopping.set() }

    /// Accepts until `stop`. To be called once, on the acceptor's thread.
    func run() {
        var state = State(listeners)
        guard poller.add(stopping.raw, .readable, identifier: State.stopIdentifier) else {
            log(.error, "cannot accept connections", ("error", "epoll_ctl: \(systemError(errno))"))
            return
        }
        while true {
            arrange(&state)
            publish(state)
            for identifier in poller.wait(until: state.nextDeadline) {
                if identifier == State.stopIdentifier { return end(state) }
                if state.doors.indices.contains(Int(clamping: identifier)) {
                    accept(from: Int(identifier), &state)
                } else {
                    arrived(identifier, &state)
                }
            }
        }
    }

    // MARK: Doors

    /// Opens and closes doors as limits and backoffs have it, and drops who has been silent for too long.
    private func arrange(_ state: inout State) {
        let now = ContinuousClock.now
        for (identifier, connection) in state.connections {
            guard case .silent(until: let deadline) = connection.stage, deadline <= now else { continue }
            state.connections[identifier] = nil
            close(connection.descriptor)
            refuse(.silent, connection.user, connection.entrance)
        }
        if let time = state.nextSweep, time <= now { sweep(&state) }
        for index in state.doors.indices {
            let listener = listeners[index]
            let count = state.count(listener.entrance)
            let isFull = count >= listener.maximumConnections
            if isFull && !state.doors[index].isFull {
                log(
                    .warning, "connection limit reached, further ones wait", ("socket", listener.socket.path),
                    ("connections", "\(count)"))
            }
            state.doors[index].isFull = isFull
            if let time = state.doors[index].pausedUntil, time <= now { state.doors[index].pausedUntil = nil }
            let shouldWatch = !isFull && state.doors[index].pausedUntil == nil
            guard shouldWatch != state.doors[index].isWatched else { continue }
            if shouldWatch {
                guard poller.add(listener.socket.raw, .readable, identifier: UInt64(index)) else {
                    pause(index, errno, &state)
                    continue
                }
            } else {
                poller.remove(listener.socket.raw)
            }
            state.doors[index].isWatched = shouldWatch
        }
    }

    /// Accepts nothing for a while: descriptors or memory are short, and the peers wait meanwhile. No descriptor is kept
    /// in reserve to turn them away with, for the reason that `maximumConnections` gives.
    private func pause(_ index: Int, _ code: Int32, _ state: inout State) {
        let pause = state.doors[index].nextPause
        state.doors[index].nextPause = min(pause * 2, .seconds(5))
        state.doors[index].pausedUntil = .now + pause
        log(
            .warning, "accepting no connections for a moment", ("socket", listeners[index].socket.path),
            ("error", systemError(code)), ("hint", "raise the limit of open files (LimitNOFILE)"))
    }

    private func accept(from index: Int, _ state: inout State) {
        let listener = listeners[index]
        // Bounded, so that other events get their turn.
        for _ in 0..<16 where state.count(listener.entrance) < listener.maximumConnections {
            let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
            let descriptor = accept4(listener.socket.raw, __SOCKADDR_ARG(), nil, flags)
            guard descriptor >= 0 else {
                switch errno {
                case EAGAIN: return
                case EINTR, ECONNABORTED: continue
                default: return pause(index, errno, &state)
                }
            }
            state.doors[index].nextPause = State.firstPause
            state.forget(descriptor: descriptor)
            admit(descriptor, listener, &state)
        }
    }

    private func admit(_ descriptor: Int32, _ listener: Listener, _ state: inout State) {
        var (pid, user, group) = (pid_t(), uid_t(), gid_t())
        guard trousseau_peer_credentials(descriptor, &pid, &user, &group) == 0 else {
            close(descriptor)
            return refuse(.unidentified, PeerPolicy.unmapped, listener.entrance)
        }
        if let refusal = listener.policy.refusal(user: user, group: group) {
            close(descriptor)
            return refuse(refusal, user, listener.entrance, group: group)
        }
        let identifier = state.newIdentifier()
        guard poller.add(descriptor, .arrival, identifier: identifier) else {
            log(.warning, "connection dropped", ("error", "epoll_ctl: \(systemError(errno))"))
            close(descriptor)
            return
        }
        state.connections[identifier] = Connection(
            descriptor: descriptor, entrance: listener.entrance, user: user,
            stage: .silent(until: .now + handshakeTimeout))
    }

    private func refuse(
        _ refusal: ServerStatistics.Refusal, _ user: UInt32, _ entrance: Entrance, group: UInt32? = nil
    ) {
        sharedCounts.withLock { $0.refused[refusal, default: 0] += 1 }
        let hint =
            switch refusal {
            case .notAllowed: "add its uid to allowUsers or its gid to allowGroups if it should be let in"
            case .unmapped: "it runs in a user namespace (a container) that maps its user to nobody: map it"
            case .unidentified: "the kernel did not say who it is"
            case .silent: "it connected and sent no HTTP/2 preface in time"
            case .notHTTP2: "it speaks something else than gRPC"
            }
        log(
            .warning, "connection refused", ("socket", listeners.first { $0.entrance == entrance }?.socket.path ?? ""),
            ("reason", refusal.rawValue), ("uid", "\(user)"), ("gid", group.map { "\($0)" } ?? "-"), ("hint", hint))
    }

    // MARK: Connections

    private func arrived(_ identifier: UInt64, _ state: inout State) {
        guard let connection = state.connections[identifier] else { return }
        guard case .silent = connection.stage else {
            // The peer has closed; core will close soon, too.
            return state.sweepSoon()
        }
        var start = [UInt8](repeating: 0, count: Connection.preface.count)
        let count = recv(
            connection.descriptor, &start, start.count, Int32(MSG_PEEK | MSG_DONTWAIT))
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        let beginsWell = count > 0 && start.prefix(count) == Connection.preface.prefix(count)
        let isPreface = beginsWell && count == Connection.preface.count
        // More may come. If the peer has closed its sending half instead, its time runs out.
        if beginsWell && !isPreface && !Acceptor.isGone(connection.descriptor) { return }
        guard isPreface, poller.watches(connection.descriptor, .hangUp, identifier: identifier) else {
            state.connections[identifier] = nil
            close(connection.descriptor)
            return refuse(count > 0 && !beginsWell ? .notHTTP2 : .silent, connection.user, connection.entrance)
        }
        state.connections[identifier]?.stage = .serving
        sharedCounts.withLock { $0.accepted += 1 }
        serve(connection.descriptor, connection.entrance)
        state.sweepLater()
    }

    /// Whether the peer has closed both halves, however much of what it sent is still unread.
    private static func isGone(_ descriptor: Int32) -> Bool {
        var event = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&event, 1, 0) > 0 && event.revents & Int16(POLLHUP) != 0
    }

    /// Forgets the connections that core has closed.
    private func sweep(_ state: inout State) {
        for (identifier, connection) in state.connections {
            guard case .serving = connection.stage else { continue }
            if !poller.watches(connection.descriptor, .hangUp, identifier: identifier) {
                state.connections[identifier] = nil
            }
        }
        state.swept()
    }

    private func publish(_ state: State) {
        let open = Dictionary(uniqueKeysWithValues: Entrance.allCases.map { ($0, state.count($0)) })
        sharedCounts.withLock { $0.open = open }
    }

    private func end(_ state: State) {
        for connection in state.connections.values {
            if case .silent = connection.stage { close(connection.descriptor) }
        }
        sharedCounts.withLock { $0.open = [:] }
    }
}

// MARK: -

/// What only the acceptor's thread knows.
private struct State {
    struct Door {
        var isWatched = false
        var isFull = false
        var pausedUntil: ContinuousClock.Instant?
        var nextPause = State.firstPause
    }

    /// Doors have their index as identifier, connections higher ones.
    static let stopIdentifier = UInt64.max
    static let firstPause: Duration = .milliseconds(50)
    /// How often open connections are looked at when nothing points to an end: core closes some without a sign.
    private static let sweepInterval: Duration = .seconds(5)
    private static let firstSweepDelay: Duration = .milliseconds(5)

    var doors: [Door]
    var connections: [UInt64: Connection] = [:]
    private(set) var nextSweep: ContinuousClock.Instant?
    private var sweepDelay = State.sweepInterval
    private var lastIdentifier: UInt64 = 1024

    init(_ listeners: [Acceptor.Listener]) {
        doors = listeners.map { _ in Door() }
    }

    func count(_ entrance: Entrance) -> Int {
        connections.values.reduce(0) { $0 + ($1.entrance == entrance ? 1 : 0) }
    }

    mutating func newIdentifier() -> UInt64 {
        lastIdentifier += 1
        return lastIdentifier
    }

    /// The kernel has just given this number away again: whoever had it is gone.
    mutating func forget(descriptor: Int32) {
        for (identifier, connection) in connections where connection.descriptor == descriptor {
            connections[identifier] = nil
        }
    }

    /// A peer has closed: core closes within milliseconds, unless calls are being ended.
    mutating func sweepSoon() {
        sweepDelay = State.firstSweepDelay
        nextSweep = min(nextSweep ?? .now + sweepDelay, .now + sweepDelay)
    }

    mutating func sweepLater() {
        if nextSweep == nil { nextSweep = .now + sweepDelay }
    }

    mutating func swept() {
        sweepDelay = min(sweepDelay * 2, State.sweepInterval)
        let hasServing = connections.values.contains { if case .serving = $0.stage { true } else { false } }
        nextSweep = hasServing ? .now + sweepDelay : nil
    }

    /// When something has to be done even if nothing happens.
    var nextDeadline: ContinuousClock.Instant? {
        var deadlines = doors.compactMap(\.pausedUntil)
        for connection in connections.values {
            if case .silent(until: let deadline) = connection.stage { deadlines.append(deadline) }
        }
        if let nextSweep { deadlines.append(nextSweep) }
        return deadlines.min()
    }
}
