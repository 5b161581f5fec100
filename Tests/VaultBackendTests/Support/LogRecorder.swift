import Keyring
import Synchronization

/// Keeps log lines of every level.
final class LogRecorder: Sendable {
    private let lines = Mutex<[String]>([])

    var log: Log {
        Log { [self] level, message, fields in
            let text = fields.map { " \($0.0)=\($0.1)" }.joined()
            lines.withLock { $0.append("\(level) \(message)\(text)") }
        }
    }

    var text: String { lines.withLock { $0.joined(separator: "\n") } }

    func count(_ part: String) -> Int { lines.withLock { $0.count { $0.contains(part) } } }
}
