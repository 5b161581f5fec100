internal import Glibc

/// A TPM in software (swtpm) with a folder and a Unix socket of its own. It has no resource manager: what a user leaves
/// behind in it stays there, and only one user gets in at a time.
public struct SoftTPM: Sendable {
    /// Its state: moved away while it does not run, the TPM is another one.
    public let directory: String
    /// Where it takes commands; its control socket is `socket` + ".ctrl".
    public let socket: String
    private let scope: TestScope
    private let process: ChildProcess

    /// Starts one and waits until it takes connections. A missing package is a failure with its name, never a skipped
    /// test.
    ///
    /// - Parameter name: of the folder in the scope's; one that is there already is a TPM's that was stopped.
    public static func start(_ scope: TestScope, _ name: String = "tpm") async throws -> SoftTPM {
        let directory = scope.path(name)
        if !Files.exists(directory) { try Files.makeDirectory(directory) }
        let socket = directory + "/sock"
        try Files.remove(socket)
        try Files.remove(socket + ".ctrl")
        let process = try scope.start(
            "swtpm",
            [
                "socket", "--tpm2", "--tpmstate", "dir=\(directory)", "--server", "type=unixio,path=\(socket)",
                "--ctrl",
                "type=unixio,path=\(socket).ctrl", "--flags", "not-need-init,startup-clear",
            ])
        try await eventually("swtpm (package swtpm) listens", within: .seconds(60)) {
            guard process.isRunning else { throw TestError("swtpm ended: \(process.errors)") }
            // The files are there before it listens.
            return (try? UnixConnection(to: socket)) != nil && (try? UnixConnection(to: socket + ".ctrl")) != nil
        }
        return SoftTPM(directory: directory, socket: socket, scope: scope, process: process)
    }

    /// As tpm2-tss takes it.
    public var tcti: String { "swtpm:path=\(socket)" }

    /// A reset without a shutdown before, as by a power loss: all that is loaded is gone, and the next user has to start
    /// the TPM (TPM2_Startup).
    public func losePower() async throws {
        let result = try await ChildProcess.run("swtpm_ioctl", ["--unix", socket + ".ctrl", "-i"])
        guard result.succeeded else { throw TestError("swtpm_ioctl (package swtpm-tools): \(result.text)") }
    }

    /// Sends it a signal: SIGSTOP makes it silent until SIGCONT.
    public func send(_ signal: Int32) { process.send(signal) }

    /// Ends it; what persists stays in the folder.
    public func stop() async throws {
        await process.destroy()
    }

    /// Runs a command of tpm2-tools; one that fails makes the test fail.
    @discardableResult
    public func tool(_ command: String, _ arguments: String...) async throws -> String {
        let result = try await attempt(command, arguments)
        guard result.succeeded else { throw TestError("\(command) \(arguments): \(result.text)") }
        return result.output
    }

    /// Runs a command of tpm2-tools in the scope's folder; it may fail.
    public func attempt(_ command: String, _ arguments: [String]) async throws -> ChildProcess.Result {
        try await ChildProcess.run(
            command, arguments, environment: ["TPM2TOOLS_TCTI": tcti], directory: scope.directory, within: .seconds(120)
        )
    }
}
