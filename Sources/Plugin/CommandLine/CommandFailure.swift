internal import Crypto

/// What the exit code of a command says. docs/configuration.md lists them.
enum ExitCode: Int32, Sendable {
    case success = 0
    /// The command did not do what it should; for `doctor`: something is wrong.
    case failure = 1
    /// The command line itself was refused.
    case usage = 2
    /// The configuration was refused.
    case configuration = 3
    /// The keyring is missing, is there already, is in use or does not open.
    case keyring = 4
    /// Nobody serves the socket.
    case notRunning = 5
}

/// Why a command ends: `trousseau: what failed: why`, and a line with a hint.
struct CommandFailure: Error, Equatable {
    let code: ExitCode
    /// What failed and why, lower case, without a final period.
    let message: String
    let hint: String?
    /// More of the kind, in lines of their own.
    let details: [String]

    init(_ code: ExitCode, _ message: String, hint: String? = nil, details: [String] = []) {
        self.code = code
        self.message = message
        self.hint = hint
        self.details = details
    }

    /// For standard error. Reasons may hold what a device or a file says.
    var text: String {
        let lines = ["trousseau: \(message)", hint.map { "  \($0)" }].compactMap(\.self) + details
        return lines.map { PrintableText.escaped($0) + "\n" }.joined()
    }
}
