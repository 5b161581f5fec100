import Configuration
import Testing

@Suite("The text of a configuration")
struct YAMLLimitsTests {
    private func reasons(_ bytes: [UInt8]) -> [String] {
        do throws(ConfigurationError) {
            _ = try PluginConfiguration.parse(bytes, file: "c", accounts: BrokenConfiguration.accounts)
            return []
        } catch {
            return error.diagnostics.map { "\($0.line): \($0.reason)" }
        }
    }

    @Test("may be 256 kB and no more")
    func size() {
        let good = Array(BrokenConfiguration.good.utf8)
        let comment = { (count: Int) in
            [UInt8(ascii: "\n"), UInt8(ascii: "#")] + [UInt8](repeating: 0x20, count: count - 2)
        }
        #expect(reasons(good + comment(256 * 1024 - good.count)).isEmpty)
        #expect(reasons(good + comment(256 * 1024 - good.count + 1)) == ["1: is larger than 256 kB"])
    }

    @Test("may not be empty", arguments: ["", "\n", "# nothing\n", "---\n...\n"])
    func empty(_ text: String) {
        #expect(reasons(Array(text.utf8)).count == 1)
    }

    @Test("has to be UTF-8, and a broken byte is found in its line")
    func encoding() {
        #expect(reasons(Array("a: 1\nb: 2\nc: ".utf8) + [0xff]).first?.hasPrefix("3: is not UTF-8 text") == true)
        #expect(reasons([0xff, 0xfe, 0x61, 0x00]).first?.hasPrefix("1: is not UTF-8 text") == true)
        #expect(reasons(Array("a: \u{0}".utf8)).first?.contains("control characters") == true)
    }

    @Test("cannot make a small file large: a billion laughs end with the first one")
    func aliases() {
        var text = "a0: &a0 [lol]\n"
        for level in 1...9 {
            text +=
                "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ",") + "]\n"
        }
        let findings = reasons(Array(text.utf8))
        #expect(findings.count { $0.contains("anchors") } == 10 + 81)
    }

    @Test("cannot exhaust the stack", arguments: ["[", "{", "- ", "? ", "a: [", "&a ["])
    func nesting(_ opening: String) {
        let text = "kind: " + String(repeating: opening, count: 100_000)
        #expect(!reasons(Array(text.utf8)).isEmpty)
    }

    @Test("is never taken for a good one when cut off, and any cut is reported, not crashed over")
    func truncation() {
        let good = Array(BrokenConfiguration.good.utf8)
        let required = BrokenConfiguration.good.utf8.count - "\n    pinSource: /etc/trousseau/hsm.pin".utf8.count - 1
        for count in 0..<required {
            #expect(!reasons(Array(good.prefix(count))).isEmpty, "the first \(count) bytes")
        }
    }

    @Test("can have any byte changed without a crash")
    func flips() {
        let good = Array(BrokenConfiguration.good.utf8)
        for index in good.indices {
            for byte in [good[index] ^ 1, good[index] ^ 0x80, 0x0a, 0x22, 0x7b, 0x2a] as [UInt8] {
                var changed = good
                changed[index] = byte
                _ = reasons(changed)
            }
        }
    }
}
