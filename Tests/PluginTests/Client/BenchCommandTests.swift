import Glibc
import TestSupport
import Testing

@testable import Plugin

@Suite("trousseau bench", .serialized)
struct BenchCommandTests {
    private func operations(_ result: ChildProcess.Result) throws -> [JSONValue] {
        let report = try JSONParser.parse(Array(result.output.utf8))
        guard case .array(let operations)? = report["operations"] else { return [] }
        return operations
    }

    @Test("measures every operation of a plugin, with its process")
    func all() async throws {
        try await ClientCommand.with("right") { command in
            // The plugin is the first process that the scope started; the test's own will do as well.
            let result = try await command.run(
                "bench",
                ["--duration=200ms", "--concurrency=4", "--connections=2", "--output=json", "--pid=\(getpid())"])
            #expect(result.succeeded, "\(result.text)")
            let operations = try operations(result)
            #expect(
                operations.map { $0["operation"]?.string }
                    == ["status", "encrypt", "decrypt", "v1-encrypt", "v1-decrypt"])
            for operation in operations {
                guard case .integer(let calls)? = operation["calls"],
                    case .integer(let bytes)? = operation["serverResidentBytes"]
                else {
                    Issue.record("\(operation)")
                    continue
                }
                #expect(calls > 4 && bytes > 1_000_000)
                #expect(operation["errors"] == .integer(0))
            }
        }
    }

    @Test("leaves out what a plugin does not have, but not what was asked for")
    func unimplemented() async throws {
        try await ClientCommand.with("no-v1") { command in
            let all = try await command.run("bench", ["--duration=100ms"])
            #expect(all.succeeded)
            #expect(all.output.contains("decrypt") && !all.output.contains("v1-"))
            #expect(all.errors.contains("trousseau: bench: v1-decrypt is left out: v1beta1 Encrypt: UNIMPLEMENTED"))
            let one = try await command.run("bench", ["--duration=100ms", "--operation=v1-encrypt"])
            #expect(one.exit == .code(1) && one.output.isEmpty)
            #expect(one.errors.hasPrefix("trousseau: bench: v1-encrypt: v1beta1 Encrypt: UNIMPLEMENTED"))
        }
    }

    @Test("reports calls that failed, with one of the errors")
    func errors() async throws {
        try await ClientCommand.with("wrong-later") { command in
            let result = try await command.run("bench", ["--duration=200ms", "--operation=decrypt", "--concurrency=2"])
            #expect(result.exit == .code(1))
            #expect(result.output.hasSuffix("decrypt: a wrong plaintext came back\n"))
        }
    }

    @Test("prints what it measured before the plugin died")
    func death() async throws {
        try await ClientCommand.with("exit-later") { command in
            let result = try await command.run("bench", ["--duration=300ms"])
            #expect(result.exit == .code(5))
            #expect(result.output.contains("status") && result.output.contains("decrypt"))
            #expect(result.errors.hasPrefix("trousseau: bench: v1-encrypt: \(command.socket): cannot connect: "))
        }
    }

    @Test("refuses a process that does not exist")
    func pid() async throws {
        try await ClientCommand.with("right") { command in
            command.expect(
                try await command.run("bench", ["--pid=2147483647"]), .failure,
                errors: "trousseau: bench: --pid 2147483647: there is no such process\n")
        }
    }
}
