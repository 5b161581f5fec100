/// How several byte strings become one, for MACs and associated data: each is preceded by its length as 4 bytes,
/// big-endian, so that no two lists of parts have the same concatenation.
enum LengthPrefixed {
    static func concatenation(of parts: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(parts.reduce(0) { $0 + $1.count + 4 })
        for part in parts {
            bytes.append(contentsOf: bigEndian(UInt32(truncatingIfNeeded: part.count)))
            bytes.append(contentsOf: part)
        }
        return bytes
    }

    /// 4 or 8 bytes, big-endian.
    static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        Swift.withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}
