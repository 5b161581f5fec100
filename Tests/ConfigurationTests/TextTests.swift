import Configuration
import Testing

@Suite("Small texts")
struct TextTests {
    @Test(
        "that are durations are read",
        arguments: [
            ("500ms", Duration.milliseconds(500)), ("10s", .seconds(10)), ("5m", .seconds(300)), ("1h", .seconds(3600)),
        ])
    func durations(_ text: String, _ duration: Duration) {
        #expect(DurationText.parse(text) == duration)
        #expect(DurationText.format(duration) == text)
    }

    @Test(
        "that are not durations are refused",
        arguments: ["", "s", "10", "1.5s", "-1s", "10 s", "1d", "９s", "99999999999s"])
    func notDurations(_ text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test("get the nearest suggestion, or none")
    func suggestions() {
        let candidates = ["init", "serve", "status", "stop", "doctor", "version"]
        #expect(Suggestion.nearest(to: "stauts", in: candidates) == "status")
        #expect(Suggestion.nearest(to: "sevre", in: candidates) == "serve")
        #expect(Suggestion.nearest(to: "Doctor", in: candidates) == "doctor")
        #expect(Suggestion.nearest(to: "rotate", in: candidates) == nil)
        #expect(Suggestion.nearest(to: "", in: candidates) == nil)
    }

    @Test("are quoted so that a terminal cannot be fooled")
    func quoting() {
        #expect(Quoted.text("a\u{1b}[2J\n\"b\"") == #""a\u{1B}[2J\n\"b\"""#)
        #expect(Quoted.text(String(repeating: "x", count: 65)).hasSuffix("x…\""))
    }

    @Test("name users and groups only by the files' own lines")
    func accounts() {
        let names = AccountNames(
            passwd: "root:x:0:0::/:/bin/sh\nbroken:x\nkube:x:1042:1:a:b:c\nhuge:x:4294967296:1:::\n",
            group: "wheel:x:10:")
        #expect(names.user("root") == 0 && names.user("kube") == 1042)
        #expect(names.user("broken") == nil && names.user("huge") == nil && names.user("") == nil)
        #expect(names.group("wheel") == 10 && names.group("root") == nil)
    }
}
