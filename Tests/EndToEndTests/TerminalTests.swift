import Glibc
import TestSupport
import Testing

/// What the program asks for on a terminal, and how it leaves that behind.
@Suite("Terminals", .serialized)
struct TerminalTests {
    private static let prompt = "passphrase for the private key: "

    private func newKey(_ scope: TestScope, _ answers: [(prompt: String, answer: JSON)]) async throws
        -> ChildProcess.Result
    {
        try await TerminalSession.run(
            ["recovery-key", "new", "--out-key", scope.path("key"), "--out-certificate", scope.path("certificate")],
            answers)
    }

    @Test("a passphrase is not shown, and is taken twice, corrections and all")
    func passphrase() async throws {
        try await TestScope.with { scope in
            // Wrong letters, taken back by Backspace and Ctrl-U; an umlaut is one character of two bytes.
            let first = JSON.object(["keys": .string("wrong\u{15}correct horseü\u{7f}!\r")])
            let made = try await newKey(
                scope, [(TerminalTests.prompt, first), ("the same again: ", "correct horse!")])
            #expect(made.exit == .code(0), "\(made.text)")
            #expect(!made.output.contains("correct"), "\(made.output)")
            #expect(
                made.errors == "\(TerminalTests.prompt): echo off\nthe same again: : echo off\nend: echo on\n",
                "\(made.errors)")
            let opened = try await ChildProcess.run(
                "openssl", ["pkey", "-in", scope.path("key"), "-passin", "stdin", "-noout"],
                input: Array("correct horse!\n".utf8))
            #expect(opened.succeeded, "\(opened.text)")
        }
    }

    @Test("two passphrases that differ make no key")
    func differing() async throws {
        try await TestScope.with { scope in
            let refused = try await newKey(
                scope, [(TerminalTests.prompt, "correct horse!"), ("the same again: ", "correct house!")])
            #expect(refused.exit == .code(1))
            #expect(refused.output.contains("the passphrases differ"), "\(refused.text)")
            #expect(try Files.list(scope.directory).filter { $0 == "key" || $0 == "certificate" } == [])
        }
    }

    @Test(
        "Ctrl-C, Ctrl-D and their like cancel, and what is typed is shown again",
        arguments: ["\u{3}", "\u{4}", "\u{1c}"])
    func keys(_ key: String) async throws {
        try await TestScope.with { scope in
            let cancelled = try await newKey(scope, [(TerminalTests.prompt, .object(["keys": .string("abc" + key)]))])
            #expect(cancelled.exit == .code(1))
            #expect(cancelled.output.contains("trousseau: cancelled"), "\(cancelled.text)")
            #expect(cancelled.errors.hasSuffix("end: echo on\n"), "\(cancelled.errors)")
        }
    }

    @Test("a signal ends the program, but first the terminal is as it was", arguments: [SIGTERM, SIGINT, SIGHUP])
    func signals(_ signal: Int32) async throws {
        try await TestScope.with { scope in
            let ended = try await newKey(
                scope, [(TerminalTests.prompt, .object(["signal": .number(Double(signal))]))])
            #expect(ended.exit == .code(256 - signal), "\(ended.text)")
            #expect(ended.errors == "\(TerminalTests.prompt): echo off\nend: echo on\n", "\(ended.errors)")
            #expect(try Files.list(scope.directory).filter { $0 == "key" || $0 == "certificate" } == [])
        }
    }
}
