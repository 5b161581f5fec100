import Glibc
import TestSupport

/// `trousseau serve` in a process of its own.
final class RunningPlugin: Sendable {
    let process: ChildProcess
    let notifications: NotificationSocket

    private init(_ process: ChildProcess, _ notifications: NotificationSocket) {
        self.process = process
        self.notifications = notifications
    }

    /// Starts it and waits until it says READY, as systemd does. `wrapper` is a command that ends in an exec of the
    /// plugin's.
    static func start(_ node: Node, environment: [String: String], wrapper: [String]) async throws -> RunningPlugin {
        let plugin = try spawn(node, environment: environment, wrapper: wrapper)
        try await eventually("READY=1, \(plugin.process.errors)", within: .seconds(30)) {
            if plugin.notifications.lines.contains("READY=1") { return true }
            guard plugin.process.isRunning else {
                let result = try await plugin.process.waitForExit(within: .seconds(1))
                throw TestError("serve ended with \(result.exit): \(result.text)")
            }
            return false
        }
        return plugin
    }

    /// Starts it and waits for nothing.
    static func spawn(
        _ node: Node, environment: [String: String], wrapper: [String] = [], descriptors: [Int32] = []
    ) throws -> RunningPlugin {
        let path = node.scope.path("notify")
        if Files.exists(path) { try Files.remove(path) }
        let notifications = try NotificationSocket(at: path)
        // A plugin that runs as another user has to reach it, too.
        try Files.changeMode(path, to: 0o666)
        let command = wrapper + [try Program.path, "serve", "--config", node.configuration]
        let process = try node.scope.start(
            command[0], Array(command.dropFirst()), environment: environment.merging(["NOTIFY_SOCKET": path]) { $1 },
            descriptors: descriptors)
        return RunningPlugin(process, notifications)
    }

    /// Sends a signal and waits for the end, which takes 8 seconds at most (and longer on a machine that is busy).
    @discardableResult
    func stop(_ signal: Int32 = SIGTERM) async throws -> ChildProcess.Result {
        process.send(signal)
        return try await process.waitForExit(within: .seconds(20))
    }

    /// Stops it with SIGSTOP; returns once each of its threads stands still, until SIGCONT.
    func freeze() async throws {
        process.send(SIGSTOP)
        let tasks = "/proc/\(process.pid)/task"
        try await eventually("all threads stand still", within: .seconds(20)) {
            try Files.list(tasks).allSatisfy { task in
                // PID (NAME) STATE …, and NAME may hold anything.
                let fields = try Files.readText("\(tasks)/\(task)/stat").split(separator: ")").last ?? ""
                return fields.hasPrefix(" T")
            }
        }
    }

    /// One line of /proc/PID/status, as `VmRSS` in kB.
    func measure(_ name: String) throws -> Int {
        for line in try Files.readText("/proc/\(process.pid)/status").split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == ":" })
            if words.first == name[...], words.count > 1, let value = Int(words[1]) { return value }
        }
        throw TestError("/proc/\(process.pid)/status has no \(name)")
    }

    /// How many descriptors it has open.
    var descriptors: Int {
        get throws { try Files.list("/proc/\(process.pid)/fd").count }
    }
}
