internal import Synchronization

/// One answer for one waiter: whoever comes first. What comes later is dropped, and a KEK among it wipes itself.
final class Race<Answer: Sendable>: Sendable {
    private enum State {
        case pending
        case waiting(CheckedContinuation<Answer, Never>)
        case finished(Answer)
        case over

        /// The one who is to be resumed.
        mutating func finish(_ answer: Answer) -> CheckedContinuation<Answer, Never>? {
            switch self {
            case .pending:
                self = .finished(answer)
                return nil
            case .waiting(let continuation):
                self = .over
                return continuation
            case .finished, .over:
                return nil
            }
        }

        /// The answer, when it is there before its waiter.
        mutating func wait(_ continuation: CheckedContinuation<Answer, Never>) -> Answer? {
            guard case .finished(let answer) = self else {
                self = .waiting(continuation)
                return nil
            }
            self = .over
            return answer
        }
    }

    private let state = Mutex(State.pending)

    /// Whether an answer would still count.
    var isOpen: Bool {
        state.withLock { state in
            switch state {
            case .pending, .waiting: true
            case .finished, .over: false
            }
        }
    }

    /// Gives the answer, unless there is one.
    func finish(_ answer: Answer) {
        state.withLock { $0.finish(answer) }?.resume(returning: answer)
    }

    /// Waits for the answer; to be called once.
    func answer() async -> Answer {
        await withCheckedContinuation { continuation in
            if let answer = state.withLock({ $0.wait(continuation) }) { continuation.resume(returning: answer) }
        }
    }
}
