internal import Crypto

/// The PCRs that a policy names, and what it expects some of them to be: `sha256:7+11` for the values that they have
/// when the seal is made, `sha256:7+11=5f1d…` for a value that is known before an update.
struct PCRExpectation: Sendable, Hashable, CustomStringConvertible {
    let selection: PCRSelection
    /// The expected values; a PCR without one keeps the value that it has.
    let given: [Int: [UInt8]]

    /// - Throws: `configuration`.
    init(_ text: String) throws(PolicyError) {
        var mask: UInt32 = 0
        var given: [Int: [UInt8]] = [:]
        for part in try PCRSelection.withoutBank(text).split(separator: "+", omittingEmptySubsequences: false) {
            let words = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let index = try PCRSelection.index(words[0], in: text)
            guard mask >> UInt32(index) & 1 == 0 else {
                throw PolicyError(.configuration, "PCRs \"\(text)\": PCR \(index) is named twice")
            }
            // PC Client Platform TPM Profile, 4.6: at locality 0, for debugging and for applications.
            guard index != 16, index != 23 else {
                throw PolicyError(
                    .configuration, "PCRs \"\(text)\": PCR \(index) can be reset by any program that uses the TPM",
                    hint: "name PCRs that only a boot resets")
            }
            mask |= 1 << UInt32(index)
            guard words.count == 2 else { continue }
            guard let value = Hex.decode(words[1]), value.count == PCRValues.size else {
                throw PolicyError(
                    .configuration, "PCRs \"\(text)\": the value of PCR \(index) is not \(2 * PCRValues.size) digits",
                    hint: "as tpm2_pcrread sha256:\(index) shows it, without 0x")
            }
            given[index] = value
        }
        guard let selection = PCRSelection(mask: mask) else {
            throw PolicyError(.configuration, "no PCRs are named", hint: "such as sha256:7+11")
        }
        self.selection = selection
        self.given = given
    }

    /// The text that it was read from, in ascending order.
    var description: String {
        "sha256:"
            + selection.indices.map { index in
                given[index].map { "\(index)=\(Hex.encode($0))" } ?? String(index)
            }.joined(separator: "+")
    }

    /// The expected values, where `current` fills in what is not given.
    ///
    /// - Parameter current: of the same PCRs.
    /// - Throws: `configuration` when a PCR would have a value that says nothing.
    func values(_ current: PCRValues) throws(PolicyError) -> PCRValues {
        let expected = zip(current.selection.indices, current.values).map { given[$0] ?? $1 }
        guard current.selection == selection, let values = PCRValues(selection, expected) else {
            throw PolicyError(.configuration, "\(current.selection) was read, \(selection) is wanted")
        }
        try values.checkMeasured()
        return values
    }
}
