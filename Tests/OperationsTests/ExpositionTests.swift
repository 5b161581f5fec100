import Operations
import TestSupport
import Testing

@Suite("The exposition format")
struct ExpositionTests {
    @Test("is as Prometheus' documentation has it, byte for byte")
    func bytes() {
        var exposition = Exposition()
        exposition.write(
            .counter, "a_total", "Line\nof \\ \"help\".",
            [.init(["path": "C:\\x \"y\"\n"], UInt64.max), .init([:], 1.5)])
        exposition.write(.gauge, "b", "B.", [.init([:], Double.infinity), .init(["x": "1"], Double.nan)])
        exposition.write(.gauge, "empty", "Nothing.", [])
        exposition.write("c", "C.", [.init(["m": "x"], [(0.00005, 2), (3, 0), (.infinity, 1)], sum: 4.25)])
        #expect(
            exposition.text == """
                # HELP a_total Line\\nof \\\\ "help".
                # TYPE a_total counter
                a_total{path="C:\\\\x \\"y\\"\\n"} 18446744073709551615
                a_total 1.5
                # HELP b B.
                # TYPE b gauge
                b +Inf
                b{x="1"} NaN
                # HELP c C.
                # TYPE c histogram
                c_bucket{m="x",le="5e-05"} 2
                c_bucket{m="x",le="3.0"} 2
                c_bucket{m="x",le="+Inf"} 3
                c_sum{m="x"} 4.25
                c_count{m="x"} 3

                """)
    }

    @Test("is read back by a strict reader")
    func readBack() throws {
        var exposition = Exposition()
        exposition.write(.gauge, "b", "B.", [.init(["x": "\"\\\n,}", "y": ""], true)])
        let text = try ExpositionText(parsing: exposition.text)
        #expect(text.value("b", ["x": "\"\\\n,}", "y": ""]) == 1)
    }

    @Test(
        "has a reader that refuses what is wrong",
        arguments: [
            "a 1\n", "# HELP a A.\n# TYPE a gauge\na 1", "# HELP a A.\n# TYPE a gauge\na 1\na 2\n",
            "# HELP a A.\n# TYPE a counter\na 1\n", "# HELP a A.\n# TYPE a gauge\nb 1\n",
            "# HELP a A.\n# TYPE a gauge\na{b=\"c\" 1\n", "# HELP a A.\n# TYPE a gauge\na one\n",
            "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_sum 1\na_count 2\n",
        ])
    func refused(_ text: String) {
        #expect(throws: TestError.self) { try ExpositionText(parsing: text) }
    }

    @Test("has this process's figures, which are plausible")
    func process() throws {
        var exposition = Exposition()
        ProcessMetrics().write(to: &exposition)
        let text = try ExpositionText(parsing: exposition.text)
        let start = try #require(text.value("process_start_time_seconds"))
        #expect(start > 1_600_000_000 && start < 10_000_000_000)
        #expect(try #require(text.value("process_resident_memory_bytes")) > 1_000_000)
        let open = try #require(text.value("process_open_fds"))
        let limit = try #require(text.value("process_max_fds"))
        #expect(open >= 3 && open <= limit)
        #expect(try #require(text.value("process_cpu_seconds_total")) > 0)
    }
}
