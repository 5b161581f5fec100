/// The worked example of docs/formats.md: `name = hex`, `name = "text"`, or `name =` and indented lines of hex.
public struct DocumentVector: Sendable {
    /// The whole document.
    public let document: String
    private let values: [String: String]

    /// Reads the document.
    public init() throws(TestError) {
        document = try Files.readText(PackageSources.root + "/docs/formats.md")
        guard let start = document.firstRange(of: "```vector\n"),
            let end = document[start.upperBound...].firstRange(of: "```")
        else { throw TestError("docs/formats.md has no block \"vector\"") }
        var values: [String: String] = [:]
        var last = ""
        for line in document[start.upperBound..<end.lowerBound].split(separator: "\n") {
            if line.hasPrefix("    ") {
                values[last, default: ""] += line.dropFirst(4)
            } else {
                let pair = line.split(separator: " =", maxSplits: 1, omittingEmptySubsequences: false)
                guard pair.count == 2 else { throw TestError("docs/formats.md: \"\(line)\" is no value") }
                last = String(pair[0])
                values[last] = String(pair[1].drop { $0 == " " })
            }
        }
        self.values = values
    }

    /// A value that is bytes.
    public func bytes(_ name: String) throws(TestError) -> [UInt8] {
        let digits = Array(try value(name).utf8)
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            let pair = digits[index..<min(index + 2, digits.count)]
            guard pair.count == 2, let byte = UInt8(String(decoding: pair, as: UTF8.self), radix: 16) else {
                throw TestError("docs/formats.md: \(name) is not hex")
            }
            bytes.append(byte)
        }
        return bytes
    }

    /// A value that is a text.
    public func text(_ name: String) throws(TestError) -> String {
        let quoted = try value(name)
        guard quoted.count >= 2, quoted.hasPrefix("\""), quoted.hasSuffix("\"") else {
            throw TestError("docs/formats.md: \(name) is no text")
        }
        return String(quoted.dropFirst().dropLast())
    }

    private func value(_ name: String) throws(TestError) -> String {
        guard let value = values[name] else { throw TestError("docs/formats.md has no value \"\(name)\"") }
        return value
    }
}
