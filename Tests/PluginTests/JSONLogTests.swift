import Crypto
import Glibc
import Keyring
import Testing

@testable import Plugin

@Suite("The log as JSON")
struct JSONLogTests {
    private func line(_ message: String, _ fields: [(String, String)]) -> String {
        String(
            decoding: JSONLogLine.format(time: "T", .warning, message, fields, limit: LogWriter.maximumLine),
            as: UTF8.self)
    }

    private func parsed(_ line: String) throws -> JSONValue {
        #expect(line.hasSuffix("\n") && line.utf8.count { $0 == UInt8(ascii: "\n") } == 1)
        #expect(line.utf8.count <= LogWriter.maximumLine)
        return try JSONParser.parse(Array(line.utf8))
    }

    @Test("is an object a line")
    func format() {
        #expect(
            line("serving", [("socket", "/run/kms.sock"), ("n", "")])
                == #"{"time":"T","level":"warning","message":"serving","fields":{"socket":"/run/kms.sock","n":""}}"#
                + "\n")
        #expect(line("m", []) == #"{"time":"T","level":"warning","message":"m"}"# + "\n")
    }

    @Test(
        "lets nobody write lines, members or control characters of their own",
        arguments: [
            "x\n{\"time\":\"forged\"}", "\"},\"level\":\"error\",\"x\":{\"", "\\", "\u{0}\u{1b}[2J\u{9b}\u{7f}",
            "\u{202e}\u{2028}\u{2029}\u{feff}", "\u{e0041}", "\u{fffd}", "é鍵🔑",
        ])
    func hostile(_ text: String) throws {
        let line = line(text, [(text, text), ("after", "b")])
        let value = try parsed(line)
        #expect(value["level"] == .string("warning") && value.members?.count == 4)
        #expect(value["fields"]?.members?.count == 2 && value["fields"]?["after"] == .string("b"))
        // Only what lies above 16 bits and shows nothing is not what it was.
        if text != "\u{e0041}" {
            #expect(value["message"] == .string(text) && value["fields"]?[text] == .string(text))
        }
        #expect(!line.unicodeScalars.dropLast().contains { $0.changesLayout })
    }

    @Test("is an object however long its parts are", arguments: ["x", "\u{1b}", "\"", "é", "🔑"])
    func cut(_ unit: String) throws {
        let long = String(repeating: unit, count: 9000)
        for fields in [[("a", long)], [("a", "1"), ("b", long), ("c", "2")], [(long, "x")], []] {
            for message in ["m", long] where message != "m" || !fields.isEmpty {
                let value = try parsed(line(message, fields))
                #expect(value["level"] == .string("warning"))
                if fields.count == 3 {
                    #expect(value["fields"]?["a"] == .string("1"))
                    #expect(value["fields"]?["b"]?.string?.hasSuffix("…") == true)
                }
            }
        }
    }

    @Test("has each name once")
    func names() throws {
        let value = try parsed(line("m", [("a", "1"), ("a", "2")]))
        #expect(value["fields"]?.members?.map(\.value) == [.string("1")])
    }

    @Test("is what a writer of that format writes, with the same limits")
    func writer() throws {
        var ends: [CInt] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        let writer = LogWriter(descriptor: ends[1], minimum: .warning, format: .json)
        let start = ContinuousClock.now
        writer.write(.info, "quiet", [], at: start)
        for _ in 0..<15 { writer.write(.error, "again", [("k", "v")], at: start) }
        writer.write(.error, "again", [("k", "v")], at: start + LogWriter.window)
        close(ends[1])
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(ends[0], &chunk, chunk.count)
        let lines = String(decoding: chunk.prefix(max(0, count)), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 11)
        let last = try JSONParser.parse(Array((lines.last ?? "").utf8))
        #expect(last["level"] == .string("error") && last["fields"]?["suppressed"] == .string("5"))
    }
}
