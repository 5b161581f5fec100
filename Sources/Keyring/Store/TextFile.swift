/// The few text rules that the store's files share.
enum TextFile {
    static let newline = UInt8(ascii: "\n")

    /// The lines of a text that ends with a newline, without those that begin with "#"; nil unless it is ASCII that a
    /// terminal shows.
    static func lines(_ bytes: some Collection<UInt8>) -> [String]? {
        guard bytes.allSatisfy({ 0x20...0x7e ~= $0 || $0 == newline }), bytes.suffix(1).elementsEqual([newline]) else {
            return nil
        }
        return bytes.split(separator: newline, omittingEmptySubsequences: false).dropLast()
            .map { String(decoding: $0, as: UTF8.self) }.filter { !$0.hasPrefix("#") }
    }

    /// The value of `name: value`.
    static func value(_ name: String, of line: String) -> Substring? {
        guard line.hasPrefix(name + ": ") else { return nil }
        return line.dropFirst(name.count + 2)
    }
}
