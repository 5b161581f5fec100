internal import Glibc
internal import Synchronization

/// A process that a test started: its output is captured while it runs, and its end and its output can be awaited.
///
/// It leads a process group of its own, so that a signal can be sent as a terminal sends it (to the group), and it
/// inherits no descriptor but those it is given. `TestScope` kills what still runs when a test ends.
public final class ChildProcess: Sendable {
    /// How a process ended.
    public enum Exit: Sendable, Equatable {
        case code(Int32)
        case signal(Int32)
    }

    /// A process that has ended.
    public struct Result: Sendable {
        /// How it ended.
        public let exit: Exit
        /// Its whole standard output.
        public let output: String
        /// Its whole standard error.
        public let errors: String

        /// Whether it ended with code 0.
        public var succeeded: Bool { exit == .code(0) }
        /// Both streams, one after the other.
        public var text: String { output + errors }
    }

    /// The process ID, and that of its group.
    public let pid: Int32
    let command: String
    private let monitor: ProcessMonitor

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - executable: absolute path, or a name found in `PATH`.
    ///   - environment: replaces or adds variables; the rest is inherited.
    ///   - input: what the program reads from its standard input, then end of file (at most 64 KiB, a pipe's size).
    ///   - descriptors: the program's descriptors 3, 4, …, in this order.
    public init(
        _ executable: String, _ arguments: [String] = [], environment: [String: String] = [:],
        directory: String? = nil, input: [UInt8] = [], descriptors: [Int32] = []
    ) throws(TestError) {
        command = ([executable] + arguments).joined(separator: " ")
        let spawned = try Spawn.start(
            executable, arguments, environment: environment, directory: directory, input: input,
            descriptors: descriptors)
        pid = spawned.pid
        monitor = try ProcessMonitor(spawned)
    }

    /// What it has written to its standard output so far.
    public var output: String { monitor.text.output }
    /// What it has written to its standard error so far.
    public var errors: String { monitor.text.errors }
    /// Whether it has not ended yet.
    public var isRunning: Bool { monitor.exit == nil }

    /// Sends a signal to the process alone. Does nothing when it has ended: its process ID may be another's by now.
    public func send(_ signal: Int32) {
        monitor.ifRunning { kill(pid, signal) }
    }

    /// Sends a signal to the process and its children, as a terminal does on Ctrl-C.
    public func sendToGroup(_ signal: Int32) {
        monitor.ifRunning { kill(-pid, signal) }
    }

    /// Waits for its end.
    ///
    /// - Throws: `TestError` with all output when it still runs at the deadline; it goes on running.
    public func waitForExit(within limit: Duration) async throws(TestError) -> Result {
        let ended = await monitor.wait(within: limit) { $0.exit != nil }
        guard ended, let exit = monitor.exit else { throw failure("still runs after \(limit)") }
        let text = monitor.text
        return Result(exit: exit, output: text.output, errors: text.errors)
    }

    /// Waits until `text` was written to either stream.
    ///
    /// - Throws: `TestError` with all output at the deadline, or when the process ends without having written it.
    public func waitForOutput(_ text: String, within limit: Duration) async throws(TestError) {
        let wanted = Array(text.utf8)
        let found: @Sendable (ProcessMonitor.State) -> Bool = {
            $0.output.contains(wanted) || $0.errors.contains(wanted)
        }
        _ = await monitor.wait(within: limit) { $0.exit != nil || found($0) }
        guard monitor.check(found) else {
            throw failure(isRunning ? "did not write \"\(text)\" within \(limit)" : "ended without writing \"\(text)\"")
        }
    }

    /// Kills the process with all its children, and waits until it is gone.
    public func destroy() async {
        sendToGroup(SIGKILL)
        _ = await monitor.wait(within: .seconds(30)) { $0.exit != nil }
    }

    private func failure(_ what: String) -> TestError {
        let text = monitor.text
        return TestError("\(command): \(what)\n--- output\n\(text.output)--- errors\n\(text.errors)---")
    }

    /// Runs a program to its end.
    ///
    /// - Throws: `TestError` when it still runs at the deadline; it is killed then.
    public static func run(
        _ executable: String, _ arguments: [String] = [], environment: [String: String] = [:],
        directory: String? = nil, input: [UInt8] = [], within limit: Duration = .seconds(30)
    ) async throws(TestError) -> Result {
        let process = try ChildProcess(
            executable, arguments, environment: environment, directory: directory, input: input)
        do {
            return try await process.waitForExit(within: limit)
        } catch {
            await process.destroy()
            throw error
        }
    }
}
