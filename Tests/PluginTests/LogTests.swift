import Glibc
import Keyring
import Testing

@testable import Plugin

@Suite("The log")
struct LogTests {
    private func line(_ message: String, _ fields: (String, String)...) -> String {
        let bytes = LogLine.format(time: "T", .warning, message, fields, limit: LogWriter.maximumLine)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What `body` writes to a pipe of the system's size.
    private func written(_ body: (LogWriter) -> Void) throws -> [String] {
        var ends: [CInt] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        body(LogWriter(descriptor: ends[1]))
        close(ends[1])
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = read(ends[0], &chunk, chunk.count), count > 0 { text += chunk[..<count] }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test("quotes what needs it")
    func quoting() {
        #expect(
            line("serving", ("socket", "/run/kms.sock"), ("why", ""))
                == "T warning serving socket=/run/kms.sock why=\"\"\n")
        #expect(line("m", ("a", "b c"), ("d", "e=f"), ("g", "\"")) == "T warning m a=\"b c\" d=\"e=f\" g=\"\\\"\"\n")
    }

    @Test("lets nobody write lines of their own, move the cursor or turn the text around")
    func escaping() {
        let evil = "x\nT error forged\r\u{1b}[2J\u{9b}\u{202e}\u{2028}\u{0}"
        let escaped = "x\\nT error forged\\r\\u{1b}[2J\\u{9b}\\u{202e}\\u{2028}\\u{0}"
        #expect(line(evil, ("k\n", evil)) == "T warning \(escaped) k\\n=\"\(escaped)\"\n")
        #expect(line("é 鍵", ("k", "é")) == "T warning é 鍵 k=é\n")
    }

    @Test("cuts lines at 4096 bytes, not within a character")
    func cut() {
        let text = line("m", ("k", String(repeating: "é", count: 5000)))
        #expect(text.utf8.count <= 4096 && text.utf8.count > 4090)
        #expect(text.hasSuffix("é…\n"))
    }

    @Test("has the time in UTC")
    func time() {
        #expect(LogLine.time(seconds: 951_782_400, milliseconds: 7) == "2000-02-29T00:00:00.007Z")
        #expect(LogLine.time(seconds: 0, milliseconds: nil) == "1970-01-01T00:00:00Z")
    }

    @Test("leaves out what repeats itself, and says how much")
    func repeated() throws {
        let start = ContinuousClock.now
        let lines = try written { writer in
            for index in 0..<25 { writer.write(.info, "again", [("n", "\(index)")], at: start) }
            writer.write(.info, "other", [], at: start)
            writer.write(.info, "again", [("n", "last")], at: start + LogWriter.window)
        }
        #expect(lines.count == 12)
        #expect(lines[9].hasSuffix("n=9") && lines[10].hasSuffix("info other"))
        #expect(lines[11].hasSuffix("n=last suppressed=15"))
    }

    @Test("leaves out what is below its level")
    func level() throws {
        let lines = try written { writer in
            writer.log(.debug, "quiet")
            writer.log(.error, "loud", ("a", "b"))
        }
        #expect(lines.count == 1 && lines[0].hasSuffix(" error loud a=b"))
    }

    @Test("never waits for a reader: what does not fit is counted")
    func fullPipe() throws {
        var ends: [CInt] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let writer = LogWriter(descriptor: ends[1])
        for index in 0..<200 {
            writer.write(.info, "m\(index)", [("k", String(repeating: "x", count: 1000))], at: .now)
        }
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        let first = read(ends[0], &chunk, chunk.count)
        #expect(first > 0)
        writer.write(.info, "after", [], at: .now)
        let second = read(ends[0], &chunk, chunk.count)
        let text = String(decoding: chunk[..<max(0, second)], as: UTF8.self)
        #expect(text.contains("info after dropped="))
    }
}
