internal import CLinux
internal import Glibc
internal import Synchronization

/// Stands between a program and its software TPM: writes down every command, and does to it what a test says. One
/// connection at a time, as the TPM itself.
public final class TPMProxy: Sendable {
    /// What happens to a command.
    public enum Action: Sendable {
        /// The TPM does not see it; this response code is the answer.
        case answer(UInt32)
        /// The TPM does not see it, and the connection ends.
        case disconnect
        /// The TPM executes it; the connection ends before the answer.
        case loseAnswer
        /// One bit of the answer's body changes on its way.
        case alterAnswer
        /// One bit of the command's end changes on its way: of its last session's HMAC, or of its last parameter.
        case alterCommand
        /// The answer says that it has no sessions, and they are cut off.
        case stripSessions
        /// The last byte of the answer, of its HMAC, is cut off.
        case cutAnswer
        /// The TPM loses its power, then gets the command.
        case losePower
        /// It reaches the TPM late.
        case delay(Duration)
        /// No answer until `release`; then the connection ends.
        case hang
    }

    private struct Rule {
        let command: UInt32?
        let action: Action
        var times: Int
    }

    private struct State {
        var rules: [Rule] = []
        var commands: [UInt32] = []
        var connections = 0
        /// Sockets that commands go to; the one for nil gets those that have none of their own.
        var routes: [UInt32?: String]
        var stopping = false
    }

    /// As tpm2-tss takes it.
    public let tcti: String
    private let listener: Int32
    private let state: Mutex<State>
    private let gate: Gate
    private let thread = Mutex<pthread_t?>(nil)

    /// Begins to stand before `tpm`, at a socket of the given name beside the TPM's folder.
    public init(_ scope: TestScope, before tpm: SoftTPM, name: String = "proxy") throws(TestError) {
        let path = scope.path(name)
        tcti = "swtpm:path=\(path)"
        guard symlink(tpm.socket + ".ctrl", path + ".ctrl") == 0 else { throw .systemCall("symlink", path, errno) }
        listener = try UnixConnection.listen(at: path)
        state = Mutex(State(routes: [nil: tpm.socket]))
        gate = Gate()
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<TPMProxy>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        guard code == 0 else { throw .systemCall("pthread_create", "", code) }
        self.thread.withLock { $0 = thread }
    }

    /// Does `action` to the next commands of this code (TPM_CC), or to any; rules are used up in their order.
    public func inject(_ action: Action, into command: UInt32? = nil, times: Int = 1) {
        state.withLock { $0.rules.append(Rule(command: command, action: action, times: times)) }
    }

    /// Forgets what was not used up.
    public func injectNothing() {
        state.withLock { $0.rules = [] }
    }

    /// From now on these commands go to another TPM; all others, too, when there are none given.
    public func route(_ commands: [UInt32] = [], to tpm: SoftTPM) {
        state.withLock { state in
            if commands.isEmpty { state.routes[nil] = tpm.socket }
            for command in commands { state.routes[command] = tpm.socket }
        }
    }

    /// The commands since the last call, by their codes.
    public func takeCommands() -> [UInt32] {
        state.withLock { state in
            defer { state.commands = [] }
            return state.commands
        }
    }

    /// The commands since `takeCommands` was last called.
    public var commands: [UInt32] { state.withLock { $0.commands } }

    /// How many connections there were.
    public var connections: Int { state.withLock { $0.connections } }

    /// Ends a command that hangs.
    public func release() { gate.signal() }

    /// Ends it, with a connection that there is; commands that hang first have to be released.
    public func stop() {
        state.withLock { $0.stopping = true }
        shutdown(listener, Int32(SHUT_RDWR))
        gate.signal()
        if let thread = thread.withLock({ $0.take() }) { pthread_join(thread, nil) }
        close(listener)
    }

    private func run() {
        while true {
            let client = accept4(listener, __SOCKADDR_ARG(), nil, Int32(SOCK_CLOEXEC.rawValue))
            if client < 0 && errno == EINTR { continue }
            guard client >= 0 else { return }
            state.withLock { $0.connections += 1 }
            serve(client)
            close(client)
            if state.withLock({ $0.stopping }) { return }
        }
    }

    private func serve(_ client: Int32) {
        var upstreams: [String: Int32] = [:]
        defer { for file in upstreams.values { close(file) } }
        while let command = message(client) {
            let code = command[6..<10].reduce(0) { $0 << 8 | UInt32($1) }
            var sent = command
            let (action, socket, isStopping) = state.withLock { state -> (Action?, String, Bool) in
                state.commands.append(code)
                let socket = state.routes[code] ?? state.routes[nil] ?? ""
                return (take(&state, code), socket, state.stopping)
            }
            if isStopping { return }
            switch action {
            case .answer(let answer):
                let bytes = [0x80, 0x01, 0, 0, 0, 10] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: answer >> $0) }
                guard send(client, bytes) else { return }
                continue
            case .disconnect: return
            case .hang:
                gate.wait()
                return
            case .losePower: losePower(socket + ".ctrl")
            case .delay(let time): usleep(UInt32(time.wholeMilliseconds) * 1000)
            case .alterCommand: sent[sent.count - 1] ^= 1
            case .loseAnswer, .alterAnswer, .stripSessions, .cutAnswer, nil: break
            }
            guard let upstream = upstreams[socket] ?? TPMProxy.connect(socket) else { return }
            upstreams[socket] = upstream
            guard send(upstream, sent), var answer = message(upstream) else { return }
            if case .loseAnswer = action { return }
            switch action {
            case .alterAnswer: answer[answer.count - 40] ^= 1
            case .cutAnswer: answer = TPMProxy.resized(Array(answer.dropLast()))
            case .stripSessions:
                // tag(2), size(4), code(4), the parameters' size(4), parameters, sessions; of commands without a handle in
                // their answer.
                let count = answer[10..<14].reduce(0) { $0 << 8 | Int($1) }
                answer = TPMProxy.resized([0x80, 0x01] + answer[2..<10] + answer[14..<(14 + count)])
            default: break
            }
            guard send(client, answer) else { return }
        }
    }

    private func take(_ state: inout State, _ code: UInt32) -> Action? {
        guard let index = state.rules.firstIndex(where: { $0.command == nil || $0.command == code }) else { return nil }
        state.rules[index].times -= 1
        defer { if state.rules[index].times == 0 { state.rules.remove(at: index) } }
        return state.rules[index].action
    }

    /// CMD_INIT of swtpm's control channel.
    private func losePower(_ control: String) {
        guard let file = TPMProxy.connect(control) else { return }
        defer { close(file) }
        guard send(file, [0, 0, 0, 2, 0, 0, 0, 0]) else { return }
        _ = receive(file, 4)
    }

    private static func connect(_ path: String) -> Int32? {
        let file = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { return nil }
        guard UnixConnection.withAddress(path, { Glibc.connect(file, $0, $1) }) == 0 else {
            close(file)
            return nil
        }
        return file
    }

    /// With its own size in it.
    private static func resized(_ message: [UInt8]) -> [UInt8] {
        message[..<2] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: message.count >> $0) } + message[6...]
    }

    /// A command or an answer: tag(2), size(4), and as much as it says.
    private func message(_ file: Int32) -> [UInt8]? {
        guard let head = receive(file, 10) else { return nil }
        let count = head[2..<6].reduce(0) { $0 << 8 | Int($1) }
        guard 10...65536 ~= count, let rest = receive(file, count - 10) else { return nil }
        return head + rest
    }

    private func receive(_ file: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes { recv(file, $0.baseAddress?.advanced(by: done), count - done, 0) }
            if got < 0 && errno == EINTR { continue }
            guard got > 0 else { return nil }
            done += got
        }
        return bytes
    }

    private func send(_ file: Int32, _ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let sent = bytes.withUnsafeBytes {
                Glibc.send(file, $0.baseAddress?.advanced(by: done), bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            if sent < 0 && errno == EINTR { continue }
            guard sent > 0 else { return false }
            done += sent
        }
        return true
    }
}

/// A POSIX semaphore that begins at 0.
private final class Gate: @unchecked Sendable {
    // Sendable: the semaphore is made for several threads, and the pointer never changes.
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        semaphore = .allocate(capacity: 1)
        semaphore.initialize(to: sem_t())
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() { sem_post(semaphore) }

    func wait() {
        while sem_wait(semaphore) != 0 && errno == EINTR {}
    }
}
