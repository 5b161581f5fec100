internal import CGRPC

/// Repeats one call over several connections, a fixed number of calls at any time, and measures how long answers take.
///
/// All of it happens on the thread that runs it, so that it takes little from a server on the same machine.
public final class LoadGenerator {
    /// One of the calls at a time.
    private final class Lane {
        let call = UnaryCall()
        let connection: LoadConnection
        var started = LoadTime(nanoseconds: 0)

        init(_ connection: LoadConnection) {
            self.connection = connection
        }
    }

    /// How long after its deadline gRPC may take to end a call.
    private static let grace = Duration.seconds(2)

    private let operation: LoadOperation
    private let timeout: Duration
    private let queue = CompletionQueue()
    private let lanes: [Lane]
    /// After a failure a lane rests for so long: all of them together then make a thousand failing calls a second at
    /// most, and no busy loop when the server is gone.
    private let rest: Duration
    /// Lanes that rest, in the order in which they go on.
    private var resting: [(lane: Int, until: LoadTime)] = []
    private var inFlight = 0

    /// Connects.
    ///
    /// - Parameters:
    ///   - concurrency: calls at any time.
    ///   - connections: over which the calls are spread evenly.
    ///   - timeout: of each call.
    /// - Throws: `notReachable`, `resources`.
    public init(
        _ operation: LoadOperation, socket: String, concurrency: Int, connections: Int, timeout: Duration
    ) throws(ClientError) {
        var all: [LoadConnection] = []
        for _ in 0..<max(1, connections) {
            all.append(try LoadConnection(socket: socket, method: operation.method))
        }
        lanes = (0..<max(1, concurrency)).map { Lane(all[$0 % all.count]) }
        rest = max(.milliseconds(50), .milliseconds(lanes.count))
        self.operation = operation
        self.timeout = timeout
    }

    deinit {
        queue.shutdown()
        while true {
            switch queue.next(until: GRPCTime.timespec(after: LoadGenerator.grace)) {
            case .completed: continue
            case .end: return
            case .timeout:
                // Calls that gRPC does not end keep their memory and the queue: destroying it would end the process.
                _ = Unmanaged.passRetained(queue)
                return
            }
        }
    }

    /// Runs for `duration`, and then until the last answer is there: at most the timeout of a call and a few seconds
    /// longer, whatever the server does.
    public func run(for duration: Duration) -> LoadResult {
        var result = LoadResult()
        resting.removeAll(keepingCapacity: true)
        let begin = LoadTime.now()
        let end = begin + duration
        let limit = end + timeout + LoadGenerator.grace
        for index in lanes.indices { launch(index, at: .now(), &result) }
        var now = LoadTime.now()
        while now < end || inFlight > 0 {
            guard now < limit else {
                abandon(&result)
                break
            }
            // Every call brings an event, at its deadline at the latest; lanes that rest bring none.
            let wake = now < end ? min(end, resting.first?.until ?? end) : limit
            let event = queue.next(until: wake.raw)
            now = .now()
            if case .completed(let tag, _) = event { finish(Int(bitPattern: tag) - 1, at: now, end, &result) }
            while now < end, let first = resting.first, first.until <= now {
                resting.removeFirst()
                launch(first.lane, at: now, &result)
            }
        }
        result.duration = .nanoseconds(now.nanoseconds - begin.nanoseconds)
        return result
    }

    private func launch(_ index: Int, at now: LoadTime, _ result: inout LoadResult) {
        let lane = lanes[index]
        do throws(ClientError) {
            if let current = try lane.connection.channel(retryAfter: rest),
                lane.call.start(
                    current.channel, method: current.method, request: operation.request, queue: queue,
                    deadline: (now + timeout).raw, tag: UnsafeMutableRawPointer(bitPattern: index + 1))
            {
                lane.started = now
                inFlight += 1
                return
            }
        } catch {
            result.countError(error.message)
        }
        resting.append((index, now + rest))
    }

    private func finish(_ index: Int, at now: LoadTime, _ end: LoadTime, _ result: inout LoadResult) {
        let lane = lanes[index]
        inFlight -= 1
        let failure = failure(of: lane.call)
        lane.call.reset()
        if let failure {
            result.countError(failure)
            lane.connection.reconsider()
            resting.append((index, now + rest))
        } else {
            result.calls += 1
            result.latencies.record(nanoseconds: UInt64(max(0, now.nanoseconds - lane.started.nanoseconds)))
            if now < end { launch(index, at: now, &result) }
        }
    }

    /// What is wrong with the answer to a call; nil when nothing is.
    private func failure(of call: UnaryCall) -> String? {
        guard call.status == .ok else {
            let details = call.details
            return details.isEmpty ? call.status.name : "\(call.status.name): \(details)"
        }
        guard let expected = operation.expected, !call.responds(expected) else { return nil }
        // It may say the same in another encoding.
        let isRight = call.takeResponse()?.withBytes { bytes in
            bytes.flatMap { KMSResponses.decrypt($0) { $0.elementsEqual(operation.plaintext) } }
        }
        return isRight == true ? nil : "a wrong plaintext came back"
    }

    /// Ends calls that gRPC should have ended at their deadlines. One that does not end now is left behind.
    private func abandon(_ result: inout LoadResult) {
        for lane in lanes { lane.call.cancel() }
        let limit = LoadTime.now() + LoadGenerator.grace
        while inFlight > 0, case .completed(let tag, _) = queue.next(until: limit.raw) {
            let index = Int(bitPattern: tag) - 1
            inFlight -= 1
            result.countError(failure(of: lanes[index].call) ?? "an answer after the deadline")
            lanes[index].call.reset()
        }
        while inFlight > 0 {
            inFlight -= 1
            result.countError("gRPC does not end the call")
        }
    }
}

/// A moment of core's monotonic clock.
struct LoadTime: Comparable {
    let nanoseconds: Int64

    static func now() -> LoadTime {
        let now = gpr_now(GPR_CLOCK_MONOTONIC)
        return LoadTime(nanoseconds: now.tv_sec * 1_000_000_000 + Int64(now.tv_nsec))
    }

    var raw: gpr_timespec {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return gpr_timespec(tv_sec: seconds, tv_nsec: Int32(rest), clock_type: GPR_CLOCK_MONOTONIC)
    }

    static func < (a: LoadTime, b: LoadTime) -> Bool { a.nanoseconds < b.nanoseconds }

    static func + (time: LoadTime, duration: Duration) -> LoadTime {
        let (seconds, attoseconds) = duration.components
        return LoadTime(nanoseconds: time.nanoseconds + seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
