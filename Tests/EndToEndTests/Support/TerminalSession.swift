import TestSupport

/// The program in a terminal of its own.
enum TerminalSession {
    /// Runs it; `answers` as Tests/EndToEndTests/foreign/terminal.py has them. The result's output is what the terminal
    /// showed, its errors say whether typing was shown.
    static func run(
        _ arguments: [String], environment: [String: String] = [:], _ answers: [(prompt: String, answer: JSON)]
    ) async throws -> ChildProcess.Result {
        let input = try answers.map { try JSON.array([.string($0.prompt), $0.answer]).text + "\n" }.joined()
        return try await ChildProcess.run(
            "/usr/bin/python3",
            [PackageSources.root + "/Tests/EndToEndTests/foreign/terminal.py", try Program.path] + arguments,
            environment: environment, input: Array(input.utf8), within: .seconds(150))
    }
}
