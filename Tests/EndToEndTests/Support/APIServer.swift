import CLinux
import Glibc
import TestSupport

/// kube-apiserver, or a worse client, played by Python's grpcio: foreign/apiserver.py, asked by lines.
final class APIServer: Sendable {
    /// Debian's own: its packages of grpcio are not for another one.
    private static let python = "/usr/bin/python3"

    let process: ChildProcess
    private let commands: Int32
    private let conversation: Conversation

    private actor Conversation {
        var asked = 0
        func next() -> Int {
            asked += 1
            return asked
        }
    }

    /// Starts one with an empty etcd.
    ///
    /// - Parameters:
    ///   - authority: what it says in `:authority`.
    ///   - user: the user and group it becomes before it connects.
    static func start(
        _ scope: TestScope, socket: String, authority: String = "localhost", user: (uid: UInt32, gid: UInt32)? = nil
    ) async throws -> APIServer {
        var ends: [Int32] = [0, 0]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw TestError("pipe2 failed") }
        defer { close(ends[0]) }
        let script = PackageSources.root + "/Tests/EndToEndTests/foreign/apiserver.py"
        var arguments = [script, "--socket", socket, "--authority", authority]
        if let user { arguments += ["--uid", "\(user.uid)", "--gid", "\(user.gid)"] }
        // The proxy's variables are for the network, not for sockets of this machine.
        let server = APIServer(
            try scope.start(python, arguments, environment: ["no_proxy": "*"], descriptors: [ends[0]]), ends[1])
        // It ends with its reason when a package is missing: python3-grpcio, python3-grpc-tools.
        try await server.process.waitForOutput("0 done\n", within: .seconds(60))
        return server
    }

    private init(_ process: ChildProcess, _ commands: Int32) {
        self.process = process
        self.commands = commands
        conversation = Conversation()
    }

    deinit { close(commands) }

    /// What a command returns.
    ///
    /// - Throws: `TestError` with its error: an answer that kube-apiserver would refuse, or none.
    @discardableResult
    func ask(
        _ command: String, _ arguments: [String: JSON] = [:], within limit: Duration = .seconds(90)
    ) async throws -> JSON {
        let number = await conversation.next()
        let line = Array((try JSON.object(arguments.merging(["do": .string(command)]) { $1 }).text + "\n").utf8)
        guard write(commands, line, line.count) == line.count else { throw TestError("the client is gone") }
        try await process.waitForOutput("\n\(number) done\n", within: limit)
        let lines = process.output.split(separator: "\n")
        guard let end = lines.lastIndex(of: "\(number) done"), end > 0 else { throw TestError("no answer") }
        let answer = try JSON(parsing: String(lines[end - 1]))
        guard answer["error"] == .null else { throw TestError("\(command): \(answer["error"].string)") }
        return answer
    }
}
