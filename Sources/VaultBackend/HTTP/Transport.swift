internal import CCurl
internal import Glibc
internal import Keyring
internal import Synchronization

/// Makes requests on a thread of its own, several at a time, over connections that are kept. A request ends at its
/// deadline by itself.
final class Transport: Sendable {
    /// Requests on their way; more are refused at once.
    static let limit = 16
    /// Connections that are kept.
    private static let pool = 4

    private struct Waiting: Sendable {
        let request: HTTPRequest
        let target: Target?
        let finish: @Sendable (Result<HTTPAnswer, VaultError>) -> Void
    }

    /// Where to connect to instead of the URL's host.
    struct Target: Sendable {
        let host: String
        let port: Int
    }

    private struct State: ~Copyable {
        var waiting: [Waiting] = []
        var count = 0
        var multi: Multi?
        var isStopping = false
        var stopped: [CheckedContinuation<Void, Never>] = []
    }

    /// A CURLM: only the thread uses it, but for the call that wakes the thread.
    private final class Multi: @unchecked Sendable {
        // Sendable: curl_multi_wakeup is made to be called from any thread, and only under the state's lock, so that the
        // handle still exists.
        let raw: UnsafeMutableRawPointer
        let library: CurlLibrary

        init(_ library: CurlLibrary) throws(VaultError) {
            guard let raw = library.functions.pointee.multi_init() else {
                throw VaultError(.local, "curl_multi_init failed", errorClass: .retry)
            }
            self.raw = raw
            self.library = library
            _ = trousseau_curl_set_pool(library.functions, raw, CURLMOPT_MAXCONNECTS, Transport.pool)
        }

        deinit { _ = library.functions.pointee.multi_cleanup(raw) }

        func wake() { _ = library.functions.pointee.multi_wakeup(raw) }
    }

    private let name: String
    private let options: TransportOptions
    private let state = Mutex(State())

    init(_ name: String, _ options: TransportOptions) {
        self.name = name
        self.options = options
    }

    /// The answer, whatever its status.
    ///
    /// - Parameter target: where to connect to instead of the URL's host, whose certificate is expected all the same.
    func perform(_ request: HTTPRequest, at target: Target? = nil) async throws(VaultError) -> HTTPAnswer {
        let outcome = Outcome()
        await withCheckedContinuation { continuation in
            let waiting = Waiting(request: request, target: target) {
                outcome.set($0)
                continuation.resume()
            }
            if let refusal = submit(waiting) { waiting.finish(.failure(refusal)) }
        }
        return try outcome.get().get()
    }

    /// What the thread hands over. Through a lock and not through the continuation: that would be as safe, but Swift 6.3's
    /// libswift_Concurrency is not built for ThreadSanitizer, which now and then reports the answer's first use as a race
    /// with its making (as it does in twenty lines that resume a continuation from a thread, without libcurl).
    private final class Outcome: Sendable {
        private let value = Mutex<Result<HTTPAnswer, VaultError>?>(nil)

        func set(_ new: Result<HTTPAnswer, VaultError>) { value.withLock { $0 = new } }

        func get() -> Result<HTTPAnswer, VaultError> {
            value.withLock { $0 } ?? .failure(VaultError(.local, "the request has no outcome", errorClass: .retry))
        }
    }

    /// Takes no more requests; returns when those on their way have ended.
    func stop() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                state.isStopping = true
                guard let multi = state.multi else { return true }
                state.stopped.append(continuation)
                multi.wake()
                return false
            }
            if isIdle { continuation.resume() }
        }
    }

    private func submit(_ waiting: Waiting) -> VaultError? {
        state.withLock { state -> VaultError? in
            guard !state.isStopping else { return VaultError(.shutdown, "\(name): shut down", errorClass: .retry) }
            guard state.count < Transport.limit else {
                return VaultError(
                    .deadline, "\(name): \(state.count) requests are on their way already",
                    hint: "check Vault and the way to it", errorClass: .retry)
            }
            do throws(VaultError) {
                let multi: Multi
                if let running = state.multi {
                    multi = running
                } else {
                    multi = try start()
                    state.multi = multi
                }
                state.waiting.append(waiting)
                state.count += 1
                multi.wake()
                return nil
            } catch {
                return error
            }
        }
    }

    private func start() throws(VaultError) -> Multi {
        let multi = try Multi(try CurlLibrary.shared())
        do throws(SystemThread.Failure) {
            // Its signals are blocked, SIGPIPE too, which OpenSSL's writes may raise.
            try SystemThread("vault", stackSize: 512 * 1024) { self.run(multi) }.detach()
        } catch {
            throw VaultError(.local, "pthread_create: \(systemError(error.code))", errorClass: .retry)
        }
        return multi
    }

    private func run(_ multi: Multi) {
        let functions = multi.library.functions
        // Keeps the transfers alive: curl has only their addresses.
        var running: [UnsafeMutableRawPointer: Transfer] = [:]
        while true {
            let (waiting, isStopping) = state.withLock { state in
                defer { state.waiting = [] }
                return (state.waiting, state.isStopping)
            }
            for waiting in waiting { begin(waiting, multi, &running) }
            var count: Int32 = 0
            let code = functions.pointee.multi_perform(multi.raw, &count)
            var left: Int32 = 0
            while let message = functions.pointee.multi_info_read(multi.raw, &left) {
                guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
                let result = trousseau_curl_result(message)
                end(handle, multi, &running) { $0.end(result) }
            }
            if code != CURLM_OK {
                let error = VaultError(.local, "curl_multi_perform: error \(code.rawValue)", errorClass: .retry)
                for handle in running.keys { end(handle, multi, &running) { $0.abandon(error) } }
            }
            if isStopping && running.isEmpty { break }
            // Woken by `submit` and `stop`; curl's own timers count, too.
            _ = functions.pointee.multi_poll(multi.raw, nil, 0, running.isEmpty ? 60_000 : 1000, nil)
        }
        let stopped = state.withLock { state in
            defer { state.stopped = [] }
            state.multi = nil
            return state.stopped
        }
        for continuation in stopped { continuation.resume() }
    }

    private func begin(_ waiting: Waiting, _ multi: Multi, _ running: inout [UnsafeMutableRawPointer: Transfer]) {
        do throws(VaultError) {
            let transfer = try Transfer(multi.library, waiting.request, options, finish: waiting.finish)
            if let target = waiting.target { try transfer.connect(to: target.host, port: target.port) }
            let code = multi.library.functions.pointee.multi_add_handle(multi.raw, transfer.handle)
            guard code == CURLM_OK else {
                throw VaultError(.local, "curl_multi_add_handle: error \(code.rawValue)", errorClass: .retry)
            }
            running[transfer.handle] = transfer
        } catch {
            state.withLock { $0.count -= 1 }
            waiting.finish(.failure(error))
        }
    }

    private func end(
        _ handle: UnsafeMutableRawPointer, _ multi: Multi, _ running: inout [UnsafeMutableRawPointer: Transfer],
        _ body: (Transfer) -> Void
    ) {
        guard let transfer = running.removeValue(forKey: handle) else { return }
        _ = multi.library.functions.pointee.multi_remove_handle(multi.raw, handle)
        state.withLock { $0.count -= 1 }
        body(transfer)
    }
}
