import TestSupport
import Testing

@testable import Plugin

/// Commands that ask a plugin, run as processes, and a foreign plugin to be asked.
struct ClientCommand {
    let socket: String
    let scope: TestScope

    /// Starts a plugin on Python's grpcio that answers rightly or wrongly as it is told.
    static func with<R>(_ behaviour: String, _ body: (ClientCommand) async throws -> R) async throws -> R {
        try await TestScope.with { scope in
            let command = ClientCommand(socket: scope.path("foreign.sock"), scope: scope)
            let script = PackageSources.root + "/Tests/KMSServerTests/Client/foreign/plugin.py"
            let plugin = try scope.start("/usr/bin/python3", [script, command.socket, behaviour])
            try await plugin.waitForOutput("ready", within: .seconds(60))
            return try await body(command)
        }
    }

    /// `trousseau WORDS --socket SOCKET OPTIONS`.
    func run(_ words: String, _ options: [String] = [], input: [UInt8] = []) async throws -> ChildProcess.Result {
        let arguments = words.split(separator: " ").map(String.init) + ["--socket", socket] + options
        return try await ChildProcess.run(
            try Files.executableDirectory() + "/trousseau", arguments, input: input, within: .seconds(60))
    }

    func expect(
        _ result: ChildProcess.Result, _ code: ExitCode, output: String = "", errors: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(result.exit == .code(code.rawValue), sourceLocation: sourceLocation)
        #expect(result.output == output, sourceLocation: sourceLocation)
        #expect(result.errors == errors, sourceLocation: sourceLocation)
    }
}
