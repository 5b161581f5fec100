import Keyring
import Synchronization

/// A log that tests can read.
final class LogRecorder: Sendable {
    struct Line: Sendable {
        let level: Log.Level
        let message: String
        let fields: [(name: String, value: String)]

        var text: String { message + fields.map { " \($0.name)=\($0.value)" }.joined() }
    }

    private let recorded = Mutex<[Line]>([])

    var lines: [Line] { recorded.withLock { $0 } }
    var text: String { lines.map(\.text).joined(separator: "\n") }

    var log: Log {
        Log { level, message, fields in
            let line = Line(level: level, message: message, fields: fields.map { (name: $0.0, value: $0.1) })
            self.recorded.withLock { $0.append(line) }
        }
    }
}
