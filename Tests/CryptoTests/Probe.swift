internal import TestSupport

/// Runs HardeningProbe and reads its `name value` lines.
struct Probe {
    private let lines: [(name: String, value: String)]

    init(
        _ arguments: String..., environment: [String: String] = [:], within limit: Duration = .seconds(60)
    ) async throws {
        let program = try Files.executableDirectory() + "/HardeningProbe"
        let result = try await ChildProcess.run(program, arguments, environment: environment, within: limit)
        guard result.succeeded else { throw TestError("\(program): \(result.exit)\n\(result.text)") }
        lines = result.output.split(separator: "\n").map { line in
            let name = line.prefix { $0 != " " }
            return (String(name), String(line.dropFirst(name.count + 1)))
        }
    }

    /// The value of a line, "" when there is none.
    subscript(_ name: String) -> String { all(name).first ?? "" }

    func all(_ name: String) -> [String] { lines.filter { $0.name == name }.map(\.value) }
}
