import Crypto
import Testing

@testable import Plugin

@Suite("JSON")
struct JSONTests {
    private struct Inner: Codable, Equatable {
        var name: String
        var count: UInt64?
    }

    private struct Sample: Codable {
        enum Kind: String, Codable { case good, bad }
        var text = "a\"b\\\n\u{1}\u{202e}é"
        var number = -3
        var flag = true
        var ratio = 0.5
        var missing: String?
        var kind = Kind.good
        var list = [Inner(name: "x", count: 7), Inner(name: "y")]
        var empty: [Int] = []
        var map = ["k": [1, 2]]
        var bytes: [UInt8] = [0, 255]
    }

    @Test("is written of anything Encodable, indented, in the order of its members")
    func encoding() throws {
        #expect(
            try JSONValue(encoding: Sample()).text == #"""
                {
                  "text": "a\"b\\\n\u0001\u202eé",
                  "number": -3,
                  "flag": true,
                  "ratio": 0.5,
                  "kind": "good",
                  "list": [
                    {
                      "name": "x",
                      "count": 7
                    },
                    {
                      "name": "y"
                    }
                  ],
                  "empty": [],
                  "map": {
                    "k": [
                      1,
                      2
                    ]
                  },
                  "bytes": [
                    0,
                    255
                  ]
                }

                """#)
    }

    @Test("is read as it was written")
    func roundTrip() throws {
        let value = try JSONValue(encoding: Sample())
        #expect(try JSONParser.parse(Array(value.text.utf8)) == value)
        #expect(try JSONParser.parse(Array(value.compactText.utf8)) == value)
    }

    @Test(
        "is read by RFC 8259",
        arguments: [
            ("null", JSONValue.null), (" true ", .bool(true)), ("-0", .integer(0)), ("12", .integer(12)),
            ("1.5e3", .number(1500)), ("-0.5E-1", .number(-0.05)), ("2e+2", .number(200)),
            ("9223372036854775808", .number(9_223_372_036_854_775_808)), (#""\u00e9\ud83d\ude00\/""#, .string("é😀/")),
            ("[ ]", .array([])),
            ("{}", .object([])),
            ("[1,[2]]", .array([.integer(1), .array([.integer(2)])])),
        ])
    func parsing(_ text: String, _ value: JSONValue) throws {
        #expect(try JSONParser.parse(Array(text.utf8)) == value)
    }

    @Test(
        "that is none is refused",
        arguments: [
            "", "nul", "tru e", "01", "1.", "+1", ".5", "-", "\"", "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"",
            "\"\u{1}\"",
            "1.e5", "1e", "1e+", "-01", "0x1", "1e5.2", "\"\\u+123\"", "\"\\u 123\"", "[1,]", "[1 2]", "{\"a\"}",
            "{\"a\":}", "{a:1}", "{\"a\":1,}", "1 2", "[", "{", "NaN", "'a'",
        ])
    func refusals(_ text: String) {
        #expect(throws: JSONError.self) { try JSONParser.parse(Array(text.utf8)) }
    }

    @Test("cannot exhaust the stack, and no broken byte crashes the parser")
    func limits() {
        #expect(throws: JSONError.self) { try JSONParser.parse([UInt8](repeating: UInt8(ascii: "["), count: 100_000)) }
        #expect(throws: JSONError.self) { try JSONParser.parse([0x22, 0xff, 0x22]) }
        let good = Array(#"{"a":[1,-2.5e1,"x\u00e9"],"b":null}"#.utf8)
        for index in good.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = good
                changed[index] = byte
                _ = try? JSONParser.parse(changed)
            }
            _ = try? JSONParser.parse(Array(good.prefix(index)))
        }
    }
}
