/// Writes big-endian TPM structures. Not for secrets, since an array's old storage is not wiped when it grows.
struct TPMWriter {
    private(set) var bytes: [UInt8] = []

    mutating func integer(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ more: [UInt8]) { bytes += more }

    /// A TPM2B: the size in two bytes, then the bytes, of which a structure of ours has at most some hundred.
    mutating func sized(_ more: [UInt8]) {
        integer(UInt16(truncatingIfNeeded: more.count))
        bytes += more
    }

    /// What `body` writes.
    static func bytes(_ body: (inout TPMWriter) -> Void) -> [UInt8] {
        var writer = TPMWriter()
        body(&writer)
        return writer.bytes
    }
}
