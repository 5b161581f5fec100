import TestSupport

/// A software TPM, and the commands of tpm2-tools on it.
struct ToolTPM {
    private let scope: TestScope
    let socket: String

    /// Starts one and waits until it takes connections.
    static func start(_ scope: TestScope, _ name: String = "tpm") async throws -> ToolTPM {
        let state = scope.path(name)
        try Files.makeDirectory(state)
        let socket = state + "/sock"
        _ = try scope.start(
            "swtpm",
            [
                "socket", "--tpm2", "--tpmstate", "dir=\(state)", "--server", "type=unixio,path=\(socket)", "--ctrl",
                "type=unixio,path=\(socket).ctrl", "--flags", "not-need-init,startup-clear",
            ])
        try await eventually("swtpm listens", within: .seconds(60)) {
            Files.exists(socket) && Files.exists(socket + ".ctrl")
        }
        return ToolTPM(scope: scope, socket: socket)
    }

    /// Runs a command in the scope's folder; one that fails makes the test fail.
    @discardableResult
    func run(_ command: String, _ arguments: String...) async throws -> ChildProcess.Result {
        let result = try await attempt(command, arguments)
        guard result.succeeded else { throw TestError("\(command) \(arguments): \(result.text)") }
        return result
    }

    /// Runs a command that may fail.
    func attempt(_ command: String, _ arguments: [String]) async throws -> ChildProcess.Result {
        try await ChildProcess.run(
            command, arguments, environment: ["TPM2TOOLS_TCTI": "swtpm:path=\(socket)"], directory: scope.directory,
            within: .seconds(120))
    }

    /// Frees the transient objects: there is no resource manager.
    func flush() async throws { try await run("tpm2_flushcontext", "-t") }

    func read(_ name: String) throws -> [UInt8] { try Files.read(scope.path(name)) }

    func write(_ bytes: [UInt8], _ name: String) throws { try Files.write(bytes, to: scope.path(name)) }
}
