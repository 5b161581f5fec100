/// Writes protobuf's length-delimited fields (https://protobuf.dev/programming-guides/encoding), the only kind that
/// KMS messages have, into memory whose size was computed before.
struct FieldWriter {
    private let memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    /// The bytes that a field takes: none when it is empty, as proto3 has it.
    static func size(_ length: Int) -> Int {
        length == 0 ? 0 : sizeOfPresent(length)
    }

    /// The bytes of a field that is written even when it is empty.
    static func sizeOfPresent(_ length: Int) -> Int {
        var prefix = 2
        var rest = length >> 7
        while rest != 0 {
            prefix += 1
            rest >>= 7
        }
        return prefix + length
    }

    /// One field of number 1 to 15; nothing when `bytes` is empty.
    mutating func field(_ number: UInt8, _ bytes: some Collection<UInt8>) {
        guard !bytes.isEmpty else { return }
        header(number, length: bytes.count)
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyBytes(from: bytes)
        count += bytes.count
    }

    /// Tag and length of a field whose content is written next.
    mutating func header(_ number: UInt8, length: Int) {
        byte(number << 3 | 2)
        var rest = UInt64(length)
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(rest))
    }

    private mutating func byte(_ value: UInt8) {
        memory[count] = value
        count += 1
    }
}
