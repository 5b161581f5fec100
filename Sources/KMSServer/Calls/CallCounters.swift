internal import Glibc
internal import Synchronization

/// Counts the calls of one server: those under way, and those that were answered.
final class CallCounters: Sendable {
    /// The codes of gRPC, and one place for others.
    private static let codes = 18

    private struct State {
        /// By method (the last one is for unknown methods), then by code.
        var answered: [UInt64]
        /// By method.
        var durations: [DurationHistogram]
        var inFlight = 0
        var deferred = 0
        var isDraining = false
    }

    private let state: Mutex<State>
    private let paths: [String]
    private let deferredLimit: Int
    /// Set when no call is under way after `drain`.
    let drained: Event

    init(_ paths: [String], deferredLimit: Int) throws(ServerError) {
        self.paths = paths + ["unknown"]
        self.deferredLimit = deferredLimit
        let methods = paths.count + 1
        state = Mutex(
            State(
                answered: Array(repeating: 0, count: methods * CallCounters.codes),
                durations: Array(repeating: DurationHistogram(), count: methods)))
        drained = try Event()
    }

    func began() { state.withLock { $0.inFlight += 1 } }

    /// Takes a place for a call that is answered later; false when there is none.
    func takePlace() -> Bool {
        state.withLock { state in
            guard state.deferred < deferredLimit else { return false }
            state.deferred += 1
            return true
        }
    }

    func leavePlace() { state.withLock { $0.deferred -= 1 } }

    /// Nanoseconds of a clock that is never set and that is cheaper to read than ContinuousClock.
    static var clock: UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
    }

    /// Counts an answer that was just handed to core.
    ///
    /// - Parameter arrival: when core handed the call out, by `clock`.
    func answered(_ method: Int, _ code: StatusCode, arrival: UInt64) {
        let column = min(max(0, Int(code.rawValue)), CallCounters.codes - 1)
        let now = CallCounters.clock
        state.withLock {
            $0.answered[method * CallCounters.codes + column] += 1
            $0.durations[method].record(nanoseconds: now > arrival ? now - arrival : 0)
        }
    }

    func ended() {
        let isDrained = state.withLock { state in
            state.inFlight -= 1
            return state.isDraining && state.inFlight == 0
        }
        if isDrained { drained.set() }
    }

    /// From now on `drained` is set when no call is under way.
    func drain() {
        let isDrained = state.withLock { state in
            state.isDraining = true
            return state.inFlight == 0
        }
        if isDrained { drained.set() }
    }

    /// Calls that will be answered later.
    var deferred: Int { state.withLock { $0.deferred } }

    /// How long calls took from their arrival to their answer, whatever it was; methods that were called.
    var durations: [ServerStatistics.Durations] {
        let durations = state.withLock { $0.durations }
        return durations.indices.filter { durations[$0] != DurationHistogram() }.map {
            ServerStatistics.Durations(method: paths[$0], histogram: durations[$0])
        }
    }

    var requests: [ServerStatistics.Requests] {
        let answered = state.withLock { $0.answered }
        return answered.indices.filter { answered[$0] > 0 }.map { index in
            let (method, code) = index.quotientAndRemainder(dividingBy: CallCounters.codes)
            return ServerStatistics.Requests(
                method: paths[method], code: StatusCode(rawValue: Int32(code)).name, count: answered[index])
        }
    }
}
