import Crypto
import Glibc
import Keyring
import Synchronization

/// `StoreCrasher <scenario> <directory> <step> [limit=<bytes>] [user=<uid>]`: changes a keyring's files and kills itself
/// after that step of the change; 0 is never. Prints how many steps there were.
@main struct StoreCrasher {
    static func main() async {
        do {
            try await run(Array(CommandLine.arguments.dropFirst()))
        } catch {
            let text = Array("\(error)\n".utf8)
            _ = text.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            exit(1)
        }
    }

    private struct UsageError: Error {}

    private static func run(_ arguments: [String]) async throws {
        guard arguments.count >= 3, let scenario = Scenario(rawValue: arguments[0]), let last = Int(arguments[2]) else {
            throw UsageError()
        }
        for option in arguments.dropFirst(3) { try apply(option) }
        try SecureHeap.initialize(allowUnlocked: true)
        let steps = Counter()
        try await scenario.run(in: arguments[1]) { _ in
            guard steps.next() == last else { return }
            kill(getpid(), SIGKILL)
        }
        print("steps \(steps.value)")
    }

    private static func apply(_ option: String) throws {
        let parts = option.split(separator: "=").map(String.init)
        guard parts.count == 2, let value = UInt32(parts[1]) else { throw UsageError() }
        switch parts[0] {
        case "limit":
            // Without the signal ignored the process would end instead of seeing the error.
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: rlim_t(value), rlim_max: rlim_t(value))
            guard setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { throw UsageError() }
        case "user":
            guard setgid(value) == 0, setuid(value) == 0 else { throw UsageError() }
        default: throw UsageError()
        }
    }
}

private final class Counter: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .relaxed) }

    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
}
