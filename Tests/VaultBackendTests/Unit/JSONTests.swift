import Testing

@testable import VaultBackend

@Suite("JSON that was received")
struct JSONTests {
    private func document(_ text: String) -> JSONDocument? {
        let buffer = WipedBuffer(limit: 1 << 20)
        let bytes = Array(text.utf8)
        guard bytes.span.withUnsafeBytes({ buffer.append($0) }) else { return nil }
        return JSONDocument(buffer)
    }

    @Test("has its values found")
    func values() throws {
        let root = try #require(
            document(#" {"a": {"b": [1, "x\n\u00e9\ud83d\ude00", true, false, null, -7]}, "a2": "", "n": 1.5e3} "#)
        ).root
        let list = try #require(root["a"]?["b"]).elements
        #expect(list.count == 6)
        #expect(list[0].integer == 1 && list[5].integer == -7)
        #expect(list[1].text == "x\né😀")
        #expect(list[2].bool == true && list[3].bool == false && list[4].isNull && list[4].bool == nil)
        #expect(root["a2"]?.text == "" && root["n"]?.integer == nil && root["n"]?.text == nil)
        #expect(root["c"] == nil && root["a"]?["c"] == nil && root["a2"]?["b"] == nil)
        #expect(root.members.map(\.name) == ["a", "a2", "n"])
    }

    @Test("has no value under a name that stands there twice")
    func twice() throws {
        let root = try #require(document(#"{"token": "a", "token": "b", "other": 1}"#)).root
        #expect(root["token"] == nil && root["other"]?.integer == 1)
    }

    @Test(
        "is refused when it is none",
        arguments: [
            "", " ", "{", "}", "[", "[1", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{a:1}",
            "{\"a\" 1}", "{\"a\":1 \"b\":2}", "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "tru",
            "nul", "truee", "01", "-", "1.", ".5", "1e", "+1", "1 1", "{} {}", "[1]]", "NaN", "'a'", "\u{0}",
            "{\"data\":{\"plaintext\":\"QUJD",
        ])
    func refused(_ text: String) {
        #expect(document(text) == nil)
    }

    @Test("is refused beyond what an answer needs, however deep or long it is")
    func bounds() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(document(nested(16)) != nil)
        #expect(document(nested(17)) == nil)
        #expect(document(nested(200_000)) == nil)
        #expect(document("[" + String(repeating: "1,", count: 4000) + "1]") != nil)
        #expect(document("[" + String(repeating: "1,", count: 5000) + "1]") == nil)
    }

    @Test("shows a secret only if it is one word without escapes")
    func secrets() throws {
        let root = try #require(document(#"{"a": "s.AbC-1_9", "b": "a\u0062c", "c": "", "d": "a b", "e": 1}"#)).root
        #expect(try root["a"]?.withSecret { String(decoding: $0, as: UTF8.self) } == "s.AbC-1_9")
        for name in ["b", "c", "d", "e"] {
            #expect(try root[name]?.withSecret { _ in true } == nil, "\(name)")
        }
    }

    @Test("has half a surrogate pair as no text", arguments: [#"\ud800"#, #"\udc00"#, #"\ud800\u0041"#, #"\ud800x"#])
    func surrogates(_ escape: String) throws {
        #expect(try #require(document("\"\(escape)\"")).root.text == nil)
    }

    @Test("is written with what has to be escaped", arguments: [("a\"b\\c\nd\u{1}é", #""a\"b\\c\u000ad\u0001é""#)])
    func quoting(_ text: String, _ quoted: String) throws {
        #expect(JSONText.quote(text) == quoted)
        #expect(try #require(document(quoted)).root.text == text)
    }

    @Test("is taken up to the limit and not beyond, and grows")
    func buffer() {
        let buffer = WipedBuffer(limit: 5000)
        let piece = [UInt8](repeating: 7, count: 1000)
        for _ in 0..<5 { #expect(piece.span.withUnsafeBytes { buffer.append($0) }) }
        #expect(!piece.span.withUnsafeBytes { buffer.append($0) })
        #expect(buffer.count == 5000 && buffer.withUnsafeBytes { $0.allSatisfy { $0 == 7 } })
    }
}
