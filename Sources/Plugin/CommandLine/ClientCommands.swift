internal import Configuration

/// The commands that talk to any KMS plugin and need no configuration.
extension Command {
    private static let socketHint = "the plugin's socket, such as --socket /run/trousseau/kms.sock"

    /// Takes the address as kube-apiserver's configuration has it, too.
    private static func socket(_ arguments: Arguments) throws(CommandFailure) -> String {
        let text = try arguments.required("--socket", hint: socketHint)
        var path = text
        if text.hasPrefix("unix://") { path = String(text.dropFirst(7)) }
        guard path.hasPrefix("/") && path.utf8.count > 1 || path.hasPrefix("@") && path.utf8.count > 1 else {
            throw arguments.failure("--socket \(Quoted.text(text)) is not an absolute path", hint: socketHint)
        }
        guard path.utf8.count <= 107 else {
            throw arguments.failure("--socket is longer than 107 bytes", hint: "Linux allows no more for a socket")
        }
        return path
    }

    static func kms(_ rest: [String]) throws(CommandFailure) -> Command {
        let words = ["status", "encrypt", "decrypt"]
        guard let word = rest.first, !word.hasPrefix("-") else {
            throw CommandFailure(.usage, "kms: no operation", hint: "one of: \(words.joined(separator: ", "))")
        }
        guard let operation = KMS.Operation(rawValue: word) else {
            let nearest = Suggestion.nearest(to: word, in: words).map { "did you mean trousseau kms \($0)?" }
            throw CommandFailure(
                .usage, "kms: unknown operation \(Quoted.text(word))",
                hint: nearest ?? "one of: \(words.joined(separator: ", "))")
        }
        var options: [Arguments.Option] = [
            .value("--socket"), .value("--api"), .value("--timeout"), .value("--output"),
        ]
        if operation != .status { options.append(.value("--in")) }
        let arguments = try Arguments(Array(rest.dropFirst()), of: "kms", options)
        return .kms(
            KMS(
                operation: operation, socket: try socket(arguments), api: try arguments.choice("--api", default: .v2),
                input: try arguments.string("--in"),
                timeout: try arguments.duration(
                    "--timeout", in: .milliseconds(1)...(.seconds(600)), default: .seconds(3)),
                // What decrypt takes back is JSON.
                output: try arguments.choice("--output", default: operation == .encrypt ? .json : .text)))
    }

    static func bench(_ rest: [String]) throws(CommandFailure) -> Command {
        let arguments = try Arguments(
            rest, of: "bench",
            [
                .value("--socket"), .value("--operation"), .value("--concurrency"), .value("--connections"),
                .value("--duration"), .value("--pid"), .value("--output"),
            ])
        let concurrency = try arguments.integer("--concurrency", in: 1...4096, default: 16)
        let connections = try arguments.integer("--connections", in: 1...64, default: 1)
        guard connections <= concurrency else {
            throw arguments.failure(
                "\(connections) connections, but a concurrency of \(concurrency)", hint: "a connection needs a call")
        }
        return .bench(
            Bench(
                socket: try socket(arguments), operation: try arguments.choice("--operation", default: .all),
                concurrency: concurrency, connections: connections,
                duration: try arguments.duration(
                    "--duration", in: .milliseconds(100)...(.seconds(3600)), default: .seconds(5)),
                pid: arguments.has("--pid")
                    ? try arguments.integer("--pid", in: 1...Int(Int32.max), default: 0) : nil,
                output: try arguments.choice("--output", default: .text)))
    }
}
