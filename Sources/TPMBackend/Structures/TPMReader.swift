/// Reads big-endian TPM structures (TPM 2.0 Library, part 2, "Structures") and never past their end.
struct TPMReader {
    private let bytes: [UInt8]
    private var offset = 0
    /// For messages: `TPMT_PUBLIC`.
    private let structure: String

    init(_ bytes: [UInt8], _ structure: String) {
        self.bytes = bytes
        self.structure = structure
    }

    /// How many bytes are left.
    var remaining: Int { bytes.count - offset }

    mutating func uint8() throws(TPMFormatError) -> UInt8 { try integer() }
    mutating func uint16() throws(TPMFormatError) -> UInt16 { try integer() }
    mutating func uint32() throws(TPMFormatError) -> UInt32 { try integer() }

    private mutating func integer<Integer: FixedWidthInteger>() throws(TPMFormatError) -> Integer {
        // One byte's shift by 8 is "smart" and gives 0, as it should.
        try read(Integer.bitWidth / 8).reduce(0) { $0 << 8 | Integer(truncatingIfNeeded: $1) }
    }

    /// The next `count` bytes.
    mutating func read(_ count: Int) throws(TPMFormatError) -> [UInt8] {
        guard 0...remaining ~= count else { throw TPMFormatError(.malformed, "\(structure) is cut short") }
        defer { offset += count }
        return Array(bytes[offset..<(offset + count)])
    }

    /// A TPM2B: its size in two bytes, then as many.
    ///
    /// - Parameter limit: how many at most.
    mutating func sized(_ field: String, atMost limit: Int) throws(TPMFormatError) -> [UInt8] {
        let count = Int(try uint16())
        guard count <= limit else {
            throw TPMFormatError(.malformed, "\(structure): \(field) has \(count) bytes, at most \(limit) are possible")
        }
        return try read(count)
    }

    /// Nothing may be left.
    func finish() throws(TPMFormatError) {
        guard remaining == 0 else { throw TPMFormatError(.malformed, "\(structure): \(remaining) bytes are left over") }
    }
}
