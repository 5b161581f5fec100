import Keyring

/// How a backend does, in the rows of docs/failures.md.
enum Condition: String, CaseIterable, Sendable {
    case up
    /// It refuses connections, or is not there.
    case down
    /// It does not answer within its deadline.
    case slow
    /// It answers, but its seals open to something else: another key is in its place, or the seal was altered.
    case lying
    /// It refuses the PIN, password or token.
    case wrongCredentials

    /// Every combination of three backends.
    static let combinations: [[Condition]] = allCases.flatMap { first in
        allCases.flatMap { second in allCases.map { [first, second, $0] } }
    }
}

/// Three backends of which each does as a combination says.
struct Backends {
    let memory: [MemoryBackend]
    let conditions: [Condition]

    /// Three that are up.
    init(_ conditions: [Condition]) throws {
        memory = try (1...3).map { try MemoryBackend("b\($0)", key: UInt8($0)) }
        self.conditions = conditions
    }

    /// The same keys after a restart of the plugin; all up.
    init(again other: Backends) throws {
        memory = try other.memory.map { try $0.again() }
        conditions = other.conditions
    }

    /// From now on they do as the combination says.
    func apply() {
        for (backend, condition) in zip(memory, conditions) {
            switch condition {
            case .up: backend.set(.works)
            case .down: backend.set(.fails(.sample(.reopen)))
            case .slow: backend.set(.hangs)
            case .lying: backend.set(.lies, .unseal)
            case .wrongCredentials: backend.set(.fails(.sample(.operatorMustAct)))
            }
        }
    }

    /// From now on all are up.
    func mend() {
        for backend in memory {
            backend.set(.works)
            backend.release()
        }
    }

    /// The deadline of one that never answers is short; that of the others is not reached however busy the machine is.
    var members: [SealingChain.Member] {
        zip(memory, conditions).map { backend, condition in
            SealingChain.Member(
                backend, unsealOnly: false, deadline: condition == .slow ? .milliseconds(100) : .seconds(60))
        }
    }

    func count(_ condition: Condition) -> Int { conditions.count { $0 == condition } }

    /// Whether one that does not open a KEK may do so later without an operator's hand.
    var mayMend: Bool { count(.down) + count(.slow) > 0 }
}
