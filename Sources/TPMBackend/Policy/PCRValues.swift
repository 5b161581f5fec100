internal import Crypto

/// The values of some PCRs at some moment, or as they are expected to be.
struct PCRValues: Sendable, Hashable {
    /// 32 bytes each.
    static let size = 32
    /// How many bytes of a value are kept to say later which PCR differs.
    static let markSize = 4

    let selection: PCRSelection
    /// One for each PCR, in ascending order.
    let values: [[UInt8]]

    /// Nil unless there is one value of 32 bytes for each PCR.
    init?(_ selection: PCRSelection, _ values: [[UInt8]]) {
        guard values.count == selection.indices.count, values.allSatisfy({ $0.count == PCRValues.size }) else {
            return nil
        }
        self.selection = selection
        self.values = values
    }

    /// The values of those PCRs of `other` that are among these.
    func subset(_ other: PCRSelection) throws(PolicyError) -> PCRValues {
        let chosen = zip(selection.indices, values).filter { other.mask >> UInt32($0.0) & 1 == 1 }
        guard let subset = PCRValues(other, chosen.map(\.1)) else {
            throw PolicyError(.configuration, "\(selection) was read, \(other) is wanted")
        }
        return subset
    }

    /// The digest of all values, which TPM2_PolicyPCR compares.
    var digest: [UInt8] {
        get throws(PolicyError) { try policyHash(Array(values.joined())) }
    }

    /// The PCRs that nothing was ever measured into: all bytes 00 or FF. Whoever boots something else finds them so,
    /// too.
    var unmeasured: [Int] {
        zip(selection.indices, values).filter { $1.allSatisfy { $0 == 0 } || $1.allSatisfy { $0 == 0xff } }.map(\.0)
    }

    /// - Throws: `configuration` when a policy on these values would bind to nothing.
    func checkMeasured() throws(PolicyError) {
        let unmeasured = unmeasured
        guard !unmeasured.isEmpty else { return }
        throw PolicyError(
            .configuration, "PCR \(PCRSelection.list(unmeasured)): nothing is measured into it on this machine",
            hint: "leave it out of the policy, or boot in a way that measures (PCR 11: a unified kernel image)")
    }

    /// The first bytes of each value, in ascending order of the PCRs.
    var marks: [[UInt8]] { values.map { Array($0.prefix(PCRValues.markSize)) } }

    /// The PCRs whose values do not begin as `marks` says.
    func differing(from marks: [[UInt8]]) -> [Int] {
        zip(selection.indices, zip(self.marks, marks)).filter { $1.0 != $1.1 }.map(\.0)
    }
}

/// SHA-256, for policies.
func policyHash(_ bytes: [UInt8]) throws(PolicyError) -> [UInt8] {
    do throws(CryptoError) { return try SHA256.hash(bytes) } catch { throw PolicyError(error) }
}
