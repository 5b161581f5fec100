internal import Crypto

/// Some of the 24 platform configuration registers of the SHA-256 bank, at least one.
struct PCRSelection: Sendable, Hashable, CustomStringConvertible {
    /// 24.
    static let registers = 24
    /// The only bank that is used.
    static let bank = "sha256"

    /// Bit n stands for PCR n.
    let mask: UInt32

    /// Nil unless there is at least one, and none above 23.
    init?(mask: UInt32) {
        guard mask != 0, mask >> UInt32(PCRSelection.registers) == 0 else { return nil }
        self.mask = mask
    }

    /// In ascending order, as a TPM digests them.
    var indices: [Int] { (0..<PCRSelection.registers).filter { mask >> UInt32($0) & 1 == 1 } }

    /// `sha256:7+11`.
    var description: String { PCRSelection.bank + ":" + PCRSelection.list(indices) }

    /// `7+11`.
    static func list(_ indices: [Int]) -> String { indices.map(String.init).joined(separator: "+") }

    /// TPML_PCR_SELECTION (part 2, 10.9.7) with this one bank: a bit a PCR, the lowest bit of the first byte for PCR 0.
    var encoded: [UInt8] {
        TPMWriter.bytes { writer in
            writer.integer(UInt32(1))
            writer.integer(TPMAlgorithm.sha256)
            writer.integer(UInt8(3))
            for shift: UInt32 in [0, 8, 16] { writer.integer(UInt8(truncatingIfNeeded: mask >> shift)) }
        }
    }

    /// Separates `sha256:` from what follows; the bank may be left out.
    ///
    /// - Throws: `configuration` for other banks: SHA-1's can be forged, and others are rarely allocated.
    static func withoutBank(_ text: String) throws(PolicyError) -> Substring {
        guard let colon = text.firstIndex(of: ":") else { return text[...] }
        guard text[..<colon] == bank else {
            throw PolicyError(
                .configuration, "PCRs \"\(text)\": the bank \(text[..<colon]) is not used here",
                hint: "such as sha256:7+11")
        }
        return text[text.index(after: colon)...]
    }

    /// The number of one PCR in a text, 0 to 23 without leading zeros.
    static func index(_ number: some StringProtocol, in text: String) throws(PolicyError) -> Int {
        guard let index = Int(number), String(index) == number, 0..<registers ~= index else {
            throw PolicyError(
                .configuration, "PCRs \"\(text)\": \"\(number)\" is no number from 0 to 23", hint: "such as sha256:7+11"
            )
        }
        return index
    }
}
