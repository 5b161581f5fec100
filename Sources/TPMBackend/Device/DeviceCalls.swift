internal import Keyring
internal import Synchronization

/// Calls of a TPM: one thread, and a timer that gives the TPM back when it was not used for a while.
final class DeviceCalls: Sendable {
    private let name: String
    private let idleClose: Duration
    private let device: Device
    private let threads = CallThreads(limit: 1)
    private let closing = Mutex(Closing())

    private struct Closing {
        var timer: Task<Void, Never>?
        /// Whether it waits for its turn already: a place in the queue is for somebody's call.
        var isQueued = false
    }

    init(_ configuration: CheckedConfiguration, _ device: Device) {
        name = configuration.name
        idleClose = configuration.idleClose
        self.device = device
    }

    /// Runs `body` on the thread and waits for it, at most until `deadline`. A call whose caller has gone before it began
    /// is not made.
    func run<R: Sendable>(
        until deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () throws(TPMError) -> R
    ) async throws(TPMError) -> R {
        guard ContinuousClock.now < deadline else { throw failure(.late) }
        let answer: Result<R, TPMError>
        do throws(CallRefusal) {
            answer = try await threads.answer(until: deadline) {
                // Here, since the caller may have gone.
                defer { self.restartTimer() }
                return Result { () throws(TPMError) in try body() }
            }
        } catch {
            throw failure(error)
        }
        return try answer.get()
    }

    /// As `run`, but a full queue is waited for, too.
    func runInTurn<R: Sendable>(
        until deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () throws(TPMError) -> R
    ) async throws(TPMError) -> R {
        while true {
            do throws(TPMError) {
                return try await run(until: deadline, body)
            } catch {
                guard error.isBusy, ContinuousClock.now < deadline, !Task.isCancelled else { throw error }
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// How long the oldest call has been running, or nil when there is none.
    var oldestCall: Duration? { threads.oldestCall }

    /// Takes no more calls and waits for the one in flight, at most until `deadline`; then gives the TPM back, unless
    /// that call hangs.
    func stop(until deadline: ContinuousClock.Instant) async {
        closing.withLock { $0.timer.take() }?.cancel()
        // Its turn comes after the calls that are there.
        let device = device
        _ = try? await threads.answer(until: deadline) { device.close() }
        _ = await threads.stop(until: deadline)
    }

    private func restartTimer() {
        let idleClose = idleClose
        let next = Task { [weak self] in
            guard (try? await Task.sleep(for: idleClose)) != nil else { return }
            await self?.closeInTurn()
        }
        closing.withLock { closing in
            closing.timer?.cancel()
            closing.timer = next
        }
    }

    private func closeInTurn() async {
        let isFirst = closing.withLock { closing in
            defer { closing.isQueued = true }
            return !closing.isQueued
        }
        guard isFirst else { return }
        let device = device
        _ = try? await threads.answer(until: .now + .seconds(60)) { device.close() }
        closing.withLock { $0.isQueued = false }
    }

    private func failure(_ refusal: CallRefusal) -> TPMError {
        let hint = "look at the kernel's log for tpm, and for other programs that use the TPM"
        switch refusal {
        case .late: return TPMError(.deadline, "\(name): no answer in time", hint: hint, errorClass: .retry)
        case .busy(let time):
            let since = time.map { " for \($0.components.seconds) s" } ?? ""
            return TPMError(.deadline, "\(name): the TPM is busy\(since)", hint: hint, errorClass: .retry, isBusy: true)
        case .stopped: return TPMError(.shutdown, "\(name): shut down", errorClass: .retry)
        case .noThread(let code):
            return TPMError(.local, "pthread_create: \(systemError(code))", errorClass: .retry)
        }
    }
}
