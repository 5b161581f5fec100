import Testing

@testable import Plugin

@Suite("What kms encrypt prints")
struct SealedTextTests {
    private let v2 = SealedText(
        api: .v2, ciphertext: [1, 2, 255], keyID: "prod/1/\u{1b}:x",
        annotations: [.init(name: "kek.trousseau", value: [0, 9]), .init(name: "a.b", value: [])])
    private let v1 = SealedText(api: .v1, ciphertext: Array(0...99))

    @Test("is taken back by kms decrypt, as JSON and as text")
    func roundTrips() throws {
        for sealed in [v2, v1] {
            #expect(try SealedText(parsing: Array(sealed.json.text.utf8)) == sealed)
            #expect(try SealedText(parsing: Array(sealed.text.utf8)) == sealed)
        }
    }

    @Test("looks like this")
    func golden() {
        #expect(
            v2.json.text == """
                {
                  "api": "v2",
                  "ciphertext": "AQL/",
                  "keyID": "prod/1/\\u001b:x",
                  "annotations": {
                    "kek.trousseau": "AAk=",
                    "a.b": ""
                  }
                }

                """)
        #expect(
            v2.text == """
                api: v2
                ciphertext: AQL/
                keyID: "prod/1/\\u001b:x"
                annotation "kek.trousseau": AAk=
                annotation "a.b": 

                """)
    }

    @Test(
        "is refused by kms decrypt when it is something else",
        arguments: [
            "", "{", "[]", "{}", #"{"ciphertext": "AQL/"}"#, #"{"ciphertext": 1, "keyID": "k"}"#,
            #"{"ciphertext": "A", "keyID": "k"}"#,
            #"{"api": "v3", "ciphertext": "AQL/", "keyID": "k"}"#,
            #"{"ciphertext": "AQL/", "keyID": "k", "annotations": {"a": "?"}}"#,
            "no colon", "ciphertext: AQL/", "ciphertext: AQL/\nkeyID: unquoted", "api: v1", "annotation x: AA==",
        ])
    func refusals(_ text: String) {
        let error = #expect(throws: CommandFailure.self) { try SealedText(parsing: Array(text.utf8)) }
        #expect(error?.message.hasPrefix("kms decrypt: the input is not what kms encrypt printed: ") == true)
    }
}
