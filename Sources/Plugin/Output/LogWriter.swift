internal import Glibc
internal import Keyring
internal import Synchronization

/// Writes log lines to standard error, each in one write: `time level message key=value …`, or JSON.
///
/// Nothing may stop for a log: a line that nobody takes is dropped and counted, and a message that repeats itself is
/// written ten times in ten seconds at most; the next line of it says how many were left out.
final class LogWriter: Sendable {
    static let window = Duration.seconds(10)
    static let linesPerWindow = 10
    /// As much as a pipe takes at once or not at all (PIPE_BUF).
    static let maximumLine = 4096

    private struct Repeated {
        var since: ContinuousClock.Instant
        var count = 0
    }

    private struct State {
        var messages: [String: Repeated] = [:]
        var dropped = 0
    }

    private let state = Mutex(State())
    private let descriptor: CInt
    private let minimum: Log.Level
    private let format: OutputFormat

    init(descriptor: CInt = STDERR_FILENO, minimum: Log.Level = .info, format: OutputFormat = .text) {
        self.descriptor = descriptor
        self.minimum = minimum
        self.format = format
    }

    /// A log for the modules below.
    var log: Log {
        Log { level, message, fields in self.write(level, message, fields, at: .now) }
    }

    func write(_ level: Log.Level, _ message: String, _ fields: [(String, String)], at now: ContinuousClock.Instant) {
        guard level >= minimum else { return }
        // Under the lock, so that lines do not overtake each other.
        state.withLock { state in
            guard let suppressed = LogWriter.admit(message, now, &state) else { return }
            var fields = fields
            if suppressed > 0 { fields.append(("suppressed", String(suppressed))) }
            if state.dropped > 0 { fields.append(("dropped", String(state.dropped))) }
            let time = LogLine.time()
            let line =
                switch format {
                case .text: LogLine.format(time: time, level, message, fields, limit: LogWriter.maximumLine)
                case .json: JSONLogLine.format(time: time, level, message, fields, limit: LogWriter.maximumLine)
                }
            if put(line) { state.dropped = 0 } else { state.dropped += 1 }
        }
    }

    /// How many lines of this message were left out since the last one, or nil when this one is left out too.
    private static func admit(_ message: String, _ now: ContinuousClock.Instant, _ state: inout State) -> Int? {
        guard var repeated = state.messages[message] else {
            // Messages are literals of ours; a table that large means that one is not.
            if state.messages.count >= 256 { state.messages.removeAll() }
            state.messages[message] = Repeated(since: now, count: 1)
            return 0
        }
        var suppressed = 0
        if now - repeated.since >= window {
            suppressed = max(0, repeated.count - linesPerWindow)
            repeated = Repeated(since: now)
        }
        repeated.count += 1
        state.messages[message] = repeated
        return repeated.count <= linesPerWindow ? suppressed : nil
    }

    private func put(_ line: [UInt8]) -> Bool {
        var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&ready, 1, 0) == 1, ready.revents & Int16(POLLOUT) != 0 else { return false }
        return line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == line.count
    }
}
