/// Metrics in Prometheus' text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
public struct Exposition: Sendable {
    /// The value of Content-Type.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// What a family of metrics is.
    public enum Kind: String, Sendable {
        case counter
        case gauge
    }

    /// One value, with the labels that tell it from the family's others.
    public struct Sample: Sendable {
        let labels: [(name: String, value: String)]
        let value: String

        /// A whole number.
        public init(_ labels: KeyValuePairs<String, String>, _ value: some FixedWidthInteger) {
            self.labels = labels.map { ($0, $1) }
            self.value = String(value)
        }

        /// A number; infinite ones and what is none are written as the format has it.
        public init(_ labels: KeyValuePairs<String, String>, _ value: Double) {
            self.labels = labels.map { ($0, $1) }
            self.value = Exposition.number(value)
        }

        /// 1 or 0.
        public init(_ labels: KeyValuePairs<String, String>, _ value: Bool) {
            self.init(labels, value ? 1 : 0)
        }
    }

    /// One histogram of a family.
    public struct Distribution: Sendable {
        let labels: [(name: String, value: String)]
        let buckets: [(bound: Double, count: UInt64)]
        let sum: Double

        /// - Parameters:
        ///   - buckets: how many were at most so large and larger than the bound before; ascending, the last bound is
        ///     infinite.
        ///   - sum: of all.
        public init(
            _ labels: KeyValuePairs<String, String>, _ buckets: [(bound: Double, count: UInt64)], sum: Double
        ) {
            self.labels = labels.map { ($0, $1) }
            self.buckets = buckets
            self.sum = sum
        }
    }

    /// What was written so far.
    public private(set) var text = ""

    /// Nothing written yet.
    public init() {}

    /// Writes a family; nothing when it has no samples.
    ///
    /// - Parameters:
    ///   - name: `[a-zA-Z_:][a-zA-Z0-9_:]*`; that of a counter ends in `_total`.
    ///   - help: one sentence.
    public mutating func write(_ kind: Kind, _ name: String, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        head(kind.rawValue, name, help)
        for sample in samples { line(name, sample.labels, sample.value) }
    }

    /// Writes a family of histograms; nothing when there are none.
    public mutating func write(_ name: String, _ help: String, _ distributions: [Distribution]) {
        guard !distributions.isEmpty else { return }
        head("histogram", name, help)
        for distribution in distributions {
            var count: UInt64 = 0
            for bucket in distribution.buckets {
                count += bucket.count
                let bound = (name: "le", value: Exposition.number(bucket.bound))
                line(name + "_bucket", distribution.labels + [bound], String(count))
            }
            line(name + "_sum", distribution.labels, Exposition.number(distribution.sum))
            line(name + "_count", distribution.labels, String(count))
        }
    }

    private mutating func head(_ kind: String, _ name: String, _ help: String) {
        text += "# HELP \(name) \(Exposition.escaped(help, quotes: false))\n# TYPE \(name) \(kind)\n"
    }

    private mutating func line(_ name: String, _ labels: [(name: String, value: String)], _ value: String) {
        text += name
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.name)=\"\(Exposition.escaped($0.value, quotes: true))\"" }
            text += "{\(pairs.joined(separator: ","))}"
        }
        text += " \(value)\n"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return "\(value)"
    }
}
