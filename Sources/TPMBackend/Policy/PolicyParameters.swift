/// What a recipient's description keeps of a policy, so that its seal can be opened by the configuration of another day:
/// kind(1) ‖ PCRs(3) ‖ for signed policies the key's Name, for literal ones four bytes of each expected value. Frozen:
/// docs/formats.md.
///
/// The policy's digest stands beside it; nothing here is trusted to be what the object demands.
enum PolicyParameters: Sendable, Hashable {
    /// Any values that the key with this Name has signed.
    case signed(PCRSelection, keyName: [UInt8])
    /// One set of values, of which the beginnings are kept (`PCRValues.marks`).
    case literal(PCRSelection, marks: [[UInt8]])

    private static let signedKind: UInt8 = 1
    private static let literalKind: UInt8 = 2
    /// nameAlg(2) and SHA-256(32): signing keys are loaded with this nameAlg.
    private static let nameSize = 34

    var selection: PCRSelection {
        switch self {
        case .signed(let selection, _), .literal(let selection, _): selection
        }
    }

    var encoded: [UInt8] {
        TPMWriter.bytes { writer in
            let rest: [UInt8]
            switch self {
            case .signed(_, let name):
                writer.integer(PolicyParameters.signedKind)
                rest = name
            case .literal(_, let marks):
                writer.integer(PolicyParameters.literalKind)
                rest = Array(marks.joined())
            }
            for shift: UInt32 in [0, 8, 16] { writer.integer(UInt8(truncatingIfNeeded: selection.mask >> shift)) }
            writer.append(rest)
        }
    }

    /// Nil unless `bytes` is exactly what `encoded` makes.
    init?(_ bytes: [UInt8]) {
        guard bytes.count > 4,
            let selection = PCRSelection(mask: UInt32(bytes[1]) | UInt32(bytes[2]) << 8 | UInt32(bytes[3]) << 16)
        else { return nil }
        let rest = Array(bytes[4...])
        switch bytes[0] {
        case PolicyParameters.signedKind:
            guard rest.count == PolicyParameters.nameSize else { return nil }
            self = .signed(selection, keyName: rest)
        case PolicyParameters.literalKind:
            guard rest.count == selection.indices.count * PCRValues.markSize else { return nil }
            let starts = stride(from: 0, to: rest.count, by: PCRValues.markSize)
            self = .literal(selection, marks: starts.map { Array(rest[$0..<($0 + PCRValues.markSize)]) })
        default: return nil
        }
    }
}
