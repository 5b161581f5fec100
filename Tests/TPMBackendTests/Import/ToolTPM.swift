import TestSupport

/// A software TPM of which a test only knows tpm2-tools and files in its scope's folder.
struct ToolTPM {
    private let scope: TestScope
    private let tpm: SoftTPM

    static func start(_ scope: TestScope) async throws -> ToolTPM {
        ToolTPM(scope: scope, tpm: try await SoftTPM.start(scope))
    }

    var socket: String { tpm.socket }

    /// Runs a command in the scope's folder; one that fails makes the test fail.
    func run(_ command: String, _ arguments: String...) async throws {
        let result = try await attempt(command, arguments)
        guard result.succeeded else { throw TestError("\(command) \(arguments): \(result.text)") }
    }

    /// Runs a command that may fail.
    func attempt(_ command: String, _ arguments: [String]) async throws -> ChildProcess.Result {
        try await tpm.attempt(command, arguments)
    }

    /// Frees the transient objects: there is no resource manager.
    func flush() async throws { try await run("tpm2_flushcontext", "-t") }

    func read(_ name: String) throws -> [UInt8] { try Files.read(scope.path(name)) }

    func write(_ bytes: [UInt8], _ name: String) throws { try Files.write(bytes, to: scope.path(name)) }
}
