import Crypto
import Testing

@testable import TPMBackend

@Suite("JSON of signature files")
struct JSONReaderTests {
    private func accepts(_ text: String) -> Bool {
        var reader = JSONReader(Array(text.utf8))
        do throws(JSONError) {
            try reader.skip()
            try reader.finish()
            return true
        } catch {
            return false
        }
    }

    @Test(
        "accepts JSON",
        arguments: [
            "{}", " [ ] ", "null", "true", "false", "0", "-0", "12", "1.5e+3", "1E9", "-0.25", "\"\"",
            #""\"\\\/\b\f\n\r\t\u0041""#,
            #""\ud83d\ude00""#, #"{"a":[1,{"b":null}],"c":"ü"}"#, "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
        ])
    func valid(_ text: String) { #expect(accepts(text)) }

    @Test(
        "refuses what is none",
        arguments: [
            "", " ", "{", "}", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":1 \"b\":2}", "[1 2]", "01",
            "-", "1.",
            ".5", "+1", "1e", "1e+", "0x10", "tru", "nul", "truth", "\"", "\"\\x\"", "\"\\u12\"", "\"\\u+123\"",
            #""\ud83d""#,
            #""\ud83dA""#, #""\udc00""#, "\"\u{01}\"", "1 1", "{\"a\":1,\"a\":2}", "'a'", "NaN", "[1]]", "/**/1",
            "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
        ])
    func invalid(_ text: String) { #expect(!accepts(text)) }

    @Test("refuses bytes that are not UTF-8")
    func encoding() {
        var reader = JSONReader([0x22, 0xff, 0x22])
        #expect(throws: JSONError.self) { try reader.string() }
        var surrogate = JSONReader([0x22, 0xed, 0xa0, 0x80, 0x22])
        #expect(throws: JSONError.self) { try surrogate.string() }
    }

    @Test("reads strings with escapes, and whole numbers in bounds")
    func values() throws {
        var reader = JSONReader(Array(#"["a\u00fc\ud83d\ude00\n", 23]"#.utf8))
        var text = ""
        var number = 0
        try reader.array { (reader) throws(JSONError) in
            if text.isEmpty { text = try reader.string() } else { number = try reader.integer(upTo: 23) }
        }
        try reader.finish()
        #expect(text == "aü😀\n" && number == 23)
        for wrong in ["24", "-1", "1.0", "1e0", "99999999999999999999", "\"1\""] {
            var reader = JSONReader(Array(wrong.utf8))
            #expect(throws: JSONError.self) { try reader.integer(upTo: 23) }
        }
    }
}
