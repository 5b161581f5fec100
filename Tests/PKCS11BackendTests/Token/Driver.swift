internal import CLinux
internal import Glibc
internal import TestSupport

/// The backend in a process of its own (Tests/PKCS11Driver), asked by lines.
final class Driver {
    private let process: ChildProcess
    private let commands: Int32
    private var count = 0
    private var read = 0

    /// Starts it. `spy` is a file that gets every PKCS#11 call.
    static func start(
        _ scope: TestScope, _ token: SoftToken, uri: String? = nil, pin: String? = nil, spy: String? = nil,
        environment extra: [String: String] = [:]
    ) async throws -> Driver {
        var environment = [
            "SOFTHSM2_CONF": token.configuration, "DRIVER_MODULE": token.module, "DRIVER_KEY": uri ?? token.uri,
            "DRIVER_PIN": pin ?? token.pinFile, "DRIVER_GUARD": scope.path("guard"),
        ]
        if let spy {
            let spy = try PKCS11Spy(on: token.module, file: spy)
            environment["DRIVER_MODULE"] = spy.module
            environment.merge(spy.environment) { $1 }
        }
        environment.merge(extra) { $1 }
        return try await start(scope, environment)
    }

    /// Starts it with nothing but these variables (DRIVER_MODULE, DRIVER_KEY, DRIVER_PIN, DRIVER_GUARD and the module's
    /// own).
    static func start(_ scope: TestScope, _ environment: [String: String]) async throws -> Driver {
        var ends: [Int32] = [0, 0]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw TestError("pipe2 failed") }
        defer { close(ends[0]) }
        let process = try scope.start(
            try Files.executableDirectory() + "/PKCS11Driver", environment: environment, descriptors: [ends[0]])
        let driver = Driver(process, ends[1])
        try await process.waitForOutput("0 done\n", within: .seconds(20))
        _ = driver.news()
        return driver
    }

    /// Open descriptors of the process.
    var descriptors: Int {
        get throws { try Files.list("/proc/\(process.pid)/fd").count }
    }

    /// Resident memory in kB.
    var residentMemory: Int {
        get throws {
            let status = try Files.readText("/proc/\(process.pid)/status")
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
            return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        }
    }

    private init(_ process: ChildProcess, _ commands: Int32) {
        self.process = process
        self.commands = commands
    }

    deinit { close(commands) }

    /// The lines of the answer, the log's among them.
    func ask(_ command: String, within limit: Duration = .seconds(30)) async throws -> [String] {
        count += 1
        let line = Array((command + "\n").utf8)
        guard write(commands, line, line.count) == line.count else { throw TestError("the driver is gone") }
        try await process.waitForOutput("\n\(count) done\n", within: limit)
        let lines = news()
        guard lines.last == "\(count) done" else { throw TestError("\(command): \(lines) of \(process.output)") }
        return lines
    }

    /// The first line of the answer that begins with `word`, without it.
    func ask(_ command: String, _ word: String) async throws -> String {
        let lines = try await ask(command)
        guard let line = lines.first(where: { $0.hasPrefix(word + " ") }) else {
            throw TestError("\(command) answers \(lines)")
        }
        return String(line.dropFirst(word.count + 1))
    }

    /// Ends the process as `_exit` does, without a shutdown.
    func end() async throws {
        let line = Array("exit\n".utf8)
        _ = write(commands, line, line.count)
        _ = try await process.waitForExit(within: .seconds(20))
    }

    private func news() -> [String] {
        let lines = process.output.split(separator: "\n").map(String.init)
        defer { read = lines.count }
        return Array(lines.dropFirst(read))
    }
}

/// How often a function was called, by a spy's file.
func calls(_ function: String, in spy: String) throws -> Int {
    try PKCS11Spy(on: "", file: spy).calls(function)
}
