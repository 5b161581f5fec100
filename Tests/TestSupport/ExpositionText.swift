/// Metrics as a strict reader of Prometheus' text format 0.0.4 sees them.
public struct ExpositionText: Sendable {
    /// One line's metric.
    public struct Sample: Sendable {
        /// With `_bucket`, `_sum` or `_count`.
        public let name: String
        /// In order.
        public let labels: [(name: String, value: String)]
        /// NaN and infinities included.
        public let value: Double

        /// The value of a label; nil when it has none of that name.
        public func label(_ name: String) -> String? { labels.first { $0.name == name }?.value }
    }

    /// All of one name.
    public struct Family: Sendable {
        /// `counter`, `gauge` or `histogram`.
        public let kind: String
        /// The text of HELP.
        public let help: String
        /// In order.
        public internal(set) var samples: [Sample] = []
    }

    /// By name, without a histogram's endings.
    public private(set) var families: [String: Family] = [:]

    /// Reads a whole text.
    ///
    /// - Throws: `TestError` with the line that is wrong: no HELP and TYPE before samples, a family in two places, the
    ///   same series twice, a name, label or number that is none, a histogram whose buckets do not add up.
    public init(parsing text: String) throws(TestError) {
        guard text.hasSuffix("\n") else { throw TestError("no line break at the end") }
        var help: (name: String, text: String)?
        var current: String?
        var series: Set<String> = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init) {
            if line.hasPrefix("# HELP ") {
                let words = line.dropFirst(7).split(separator: " ", maxSplits: 1)
                guard words.count == 2 else { throw TestError("no help: \(line)") }
                help = (String(words[0]), String(words[1]))
                current = nil
            } else if line.hasPrefix("# TYPE ") {
                let words = line.dropFirst(7).split(separator: " ").map(String.init)
                guard words.count == 2, let known = help, known.name == words[0], families[words[0]] == nil,
                    ["counter", "gauge", "histogram"].contains(words[1]), ExpositionText.isName(words[0])
                else { throw TestError("misplaced: \(line)") }
                guard words[1] != "counter" || words[0].hasSuffix("_total") else { throw TestError("name: \(line)") }
                families[words[0]] = Family(kind: words[1], help: known.text)
                (current, help) = (words[0], nil)
            } else {
                let sample = try ExpositionText.sample(line)
                guard let name = current, let kind = families[name]?.kind,
                    kind == "histogram"
                        ? ["_bucket", "_sum", "_count"].contains(where: { sample.name == name + $0 })
                        : sample.name == name
                else { throw TestError("not of this family: \(line)") }
                let key = sample.name + sample.labels.map { "\u{1}\($0.name)\u{2}\($0.value)" }.sorted().joined()
                guard series.insert(key).inserted else { throw TestError("twice: \(line)") }
                families[name]?.samples.append(sample)
            }
        }
        for (name, family) in families {
            guard !family.samples.isEmpty else { throw TestError("\(name) has no samples") }
            if family.kind == "histogram" { try ExpositionText.check(name, family) }
            if family.kind == "counter", family.samples.contains(where: { !($0.value >= 0) }) {
                throw TestError("\(name) is negative")
            }
        }
    }

    /// The value of the only series of `name` with these labels; nil when there is none.
    public func value(_ name: String, _ labels: KeyValuePairs<String, String> = [:]) -> Double? {
        let all = families.values.flatMap(\.samples)
        return all.first { sample in
            sample.name == name && sample.labels.count == labels.count
                && labels.allSatisfy { sample.label($0.key) == $0.value }
        }?.value
    }

    private static func check(_ name: String, _ family: Family) throws(TestError) {
        var groups: [String: [Sample]] = [:]
        for sample in family.samples {
            let others = sample.labels.filter { $0.name != "le" }.map { "\($0.name)=\($0.value)" }.joined(
                separator: ",")
            groups[others, default: []].append(sample)
        }
        for samples in groups.values {
            let buckets = samples.filter { $0.name == name + "_bucket" }
            var bounds: [Double] = []
            for bucket in buckets { bounds.append(try number(bucket.label("le") ?? "")) }
            let counts = buckets.map(\.value)
            guard bounds.last == .infinity, zip(bounds, bounds.dropFirst()).allSatisfy(<),
                zip(counts, counts.dropFirst()).allSatisfy(<=),
                samples.first(where: { $0.name == name + "_count" })?.value == counts.last,
                samples.contains(where: { $0.name == name + "_sum" })
            else { throw TestError("\(name): buckets do not add up") }
        }
    }

    private static func sample(_ line: String) throws(TestError) -> Sample {
        var rest = line.unicodeScalars[...]
        let name = String(rest.prefix { $0 != "{" && $0 != " " })
        rest = rest.dropFirst(name.unicodeScalars.count)
        guard isName(name) else { throw TestError("no name: \(line)") }
        var labels: [(name: String, value: String)] = []
        if rest.first == "{" {
            repeat {
                rest = rest.dropFirst()
                let label = String(rest.prefix { $0 != "=" })
                rest = rest.dropFirst(label.unicodeScalars.count + 1)
                guard isName(label), !label.contains(":"), rest.popFirst() == "\"",
                    !labels.contains(where: { $0.name == label })
                else { throw TestError("no label: \(line)") }
                var value = String.UnicodeScalarView()
                while let scalar = rest.popFirst(), scalar != "\"" {
                    guard scalar == "\\" else {
                        value.append(scalar)
                        continue
                    }
                    switch rest.popFirst() {
                    case "\\": value.append("\\")
                    case "\"": value.append("\"")
                    case "n": value.append("\n")
                    default: throw TestError("no escape: \(line)")
                    }
                }
                labels.append((label, String(value)))
            } while rest.first == ","
            guard rest.popFirst() == "}" else { throw TestError("no end of labels: \(line)") }
        }
        guard rest.popFirst() == " " else { throw TestError("no value: \(line)") }
        return Sample(name: name, labels: labels, value: try number(String(rest)))
    }

    private static func number(_ text: String) throws(TestError) -> Double {
        switch text {
        case "+Inf": return .infinity
        case "-Inf": return -.infinity
        case "NaN": return .nan
        default:
            guard let value = Double(text), value.isFinite, text.utf8.allSatisfy({ "0123456789+-.e".utf8.contains($0) })
            else { throw TestError("no number: \(text)") }
            return value
        }
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
                || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ":")
        }
    }
}
