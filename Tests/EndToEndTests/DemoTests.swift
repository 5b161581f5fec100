import Glibc
import TestSupport
import Testing

/// `make run` (scripts/run.sh), without a terminal.
@Suite("The demo", .serialized)
struct DemoTests {
    @Test(
        "each BACKEND serves, with another one when a device is stopped, and again with what is there",
        arguments: [
            ("hsm", []), ("tpm", []),
            (
                "both",
                [
                    "the TPM stopped: opened by softhsm", "the HSM gone: opened by swtpm",
                    "both there: opened by swtpm",
                ]
            ),
            (
                "all",
                [
                    "the TPM stopped: opened by softhsm", "the TPM stopped and the HSM gone: opened by vault",
                    "the HSM gone: opened by swtpm", "Vault stopped: opened by swtpm",
                    "all three there: opened by swtpm",
                ]
            ),
        ] as [(String, [String])])
    func backends(_ backend: String, _ steps: [String]) async throws {
        try await TestScope.with { scope in
            let demo = Demo(scope, backend)
            var keyIDs: Set<String> = []
            for _ in 0..<2 {
                let run = try demo.start()
                try await run.waitForOutput("==> the plugin serves", within: .seconds(150))
                // As a terminal does on Ctrl-C.
                run.sendToGroup(SIGINT)
                let result = try await run.waitForExit(within: .seconds(30))
                #expect(result.exit == .code(0), "\(result.text)")
                #expect(result.output.hasSuffix("The plugin has ended.\n"))
                #expect(result.output.contains("\ndecrypted   thirty-two bytes, as a DEK seed.\n"))
                let lines = result.output.split(separator: "\n").filter { $0.contains(": opened by ") }
                #expect(lines == steps.map { "\($0), decrypted: thirty-two bytes, as a DEK seed." })
                #expect(result.output.contains("endpoint: unix://"))
                keyIDs.formUnion(result.output.matches(of: /key_id +(demo\S+)/).map { String($0.output.1) })
                try demo.expectNothingLeft()
            }
            #expect(keyIDs.count == 1)
        }
    }

    @Test("a step that fails ends all of it, says which, and puts the token back")
    func failingStep() async throws {
        try await TestScope.with { scope in
            let demo = Demo(scope, "all")
            // Its first one without the token.
            try demo.replaceProgram(when: "serve", "exit 70")
            let result = try await demo.start().waitForExit(within: .seconds(150))
            #expect(result.exit == .code(70), "\(result.text)")
            #expect(result.output.contains("the TPM stopped: opened by softhsm"))
            #expect(!result.output.contains("==> the plugin serves"))
            try demo.expectNothingLeft()
        }
    }

    @Test("another backend than the expected one is an error")
    func wrongOpener() async throws {
        try await TestScope.with { scope in
            let demo = Demo(scope, "both")
            try demo.replaceProgram(when: "status", "echo '\"openedBy\": \"softhsm\"'; exit 0")
            let result = try await demo.start().waitForExit(within: .seconds(150))
            #expect(result.exit == .code(1), "\(result.text)")
            #expect(result.errors.contains("with the HSM gone, swtpm should have opened it"), "\(result.text)")
            try demo.expectNothingLeft()
        }
    }

    @Test("killed while the token is away, it leaves no process, and the next one puts the token back")
    func killed() async throws {
        try await TestScope.with { scope in
            let demo = Demo(scope, "both")
            try demo.replaceProgram(when: "serve", "echo away; exec sleep 600")
            let run = try demo.start()
            try await run.waitForOutput("\naway\n", within: .seconds(150))
            run.send(SIGKILL)
            _ = try await run.waitForExit(within: .seconds(20))
            try await eventually("its processes end with it", within: .seconds(20)) { try demo.processes().isEmpty }
            #expect(Files.exists(demo.tokens + ".away"))

            try demo.mendProgram()
            let next = try demo.start()
            try await next.waitForOutput("both there: opened by swtpm", within: .seconds(150))
            next.sendToGroup(SIGINT)
            #expect(try await next.waitForExit(within: .seconds(30)).exit == .code(0))
            try demo.expectNothingLeft()

            // An empty store in the token's place is not the token; another token there is not ours to remove.
            try Files.move(demo.tokens, to: demo.tokens + ".away")
            try Files.makeDirectory(demo.tokens)
            try Files.makeDirectory(demo.tokens + "/other")
            let refused = try await demo.start().waitForExit(within: .seconds(60))
            #expect(refused.exit == .code(1) && refused.errors.contains("has tokens and tokens.away"))
            try Files.remove(demo.tokens + "/other")
            let last = try demo.start()
            try await last.waitForOutput("==> start", within: .seconds(60))
            last.sendToGroup(SIGINT)
            #expect(try await last.waitForExit(within: .seconds(60)).exit == .code(0))
            try demo.expectNothingLeft()
        }
    }

    @Test("Ctrl-C in the middle of it ends all of it")
    func interrupted() async throws {
        try await TestScope.with { scope in
            let demo = Demo(scope, "all")
            let run = try demo.start()
            try await run.waitForOutput("the TPM stopped: opened by", within: .seconds(150))
            run.sendToGroup(SIGINT)
            let result = try await run.waitForExit(within: .seconds(60))
            #expect(result.exit == .code(0), "\(result.text)")
            #expect(!result.output.contains("==> the plugin serves"))
            try demo.expectNothingLeft()
        }
    }

    @Test("another word is refused, with those that there are")
    func unknown() async throws {
        try await TestScope.with { scope in
            let result = try await Demo(scope, "cloud").start().waitForExit(within: .seconds(20))
            #expect(result.exit == .code(1))
            #expect(result.errors == "BACKEND=cloud is not known\n  it is hsm, tpm, both or all\n")
        }
    }
}

/// The demo of one BACKEND in a folder of its own.
private struct Demo {
    private let scope: TestScope
    private let backend: String

    init(_ scope: TestScope, _ backend: String) {
        self.scope = scope
        self.backend = backend
    }

    private var folder: String { backend == "hsm" ? scope.path("local") : scope.path("local/\(backend)") }
    private var program: String { scope.path("trousseau") }
    /// SoftHSM's store.
    var tokens: String { folder + "/hsm/tokens" }

    func start() throws -> ChildProcess {
        if !Files.exists(program) { try mendProgram() }
        return try scope.start(
            PackageSources.root + "/scripts/run.sh",
            environment: ["BACKEND": backend, "TROUSSEAU_LOCAL": scope.path("local"), "TROUSSEAU_PROGRAM": program])
    }

    /// While the token is away, a command of the program's is another one.
    func replaceProgram(when command: String, _ shell: String) throws {
        try write("[ \"$1\" != \(command) ] || [ ! -e '\(tokens).away' ] || { \(shell); }\n")
    }

    func mendProgram() throws { try write("") }

    private func write(_ before: String) throws {
        try Files.write("#!/bin/sh\n\(before)exec '\(try Program.path)' \"$@\"\n", to: program, mode: 0o700)
    }

    /// Of whoever names the folder in its arguments.
    func processes() throws -> [String] {
        try Files.list("/proc").compactMap { pid in
            guard Int32(pid) != nil, let words = try? Files.readText("/proc/\(pid)/cmdline"),
                words.contains(folder + "/")
            else { return nil }
            return words.replacing("\0", with: " ")
        }
    }

    /// No process, and the token in its place.
    func expectNothingLeft() throws {
        #expect(try processes() == [])
        #expect(Files.exists(tokens) && !Files.exists(tokens + ".away"))
    }
}
