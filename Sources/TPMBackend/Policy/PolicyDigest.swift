internal import Crypto

/// A policy digest of SHA-256 as a TPM computes it in a session (part 3, "Enhanced Authorization Commands"), in
/// software: a seal can be made for a state that the TPM is not in, or on another machine.
struct PolicyDigest: Sendable, Hashable {
    /// Command codes (part 2, 6.5.2).
    private enum Command {
        static let policyAuthorize: UInt32 = 0x16a
        static let policyAuthValue: UInt32 = 0x16b
        static let policyPCR: UInt32 = 0x17f
    }

    /// 32 bytes, zeros at first.
    private(set) var bytes = [UInt8](repeating: 0, count: HashAlgorithm.sha256.size)

    /// As a session begins.
    init() {}

    /// One that goes on from a digest of 32 bytes.
    init(bytes: [UInt8]) { self.bytes = bytes }

    /// TPM2_PolicyPCR: the PCRs have these values.
    mutating func pcrs(_ values: PCRValues) throws(PolicyError) {
        let digest = try values.digest
        bytes = try policyHash(
            TPMWriter.bytes { writer in
                writer.append(bytes)
                writer.integer(Command.policyPCR)
                writer.append(values.selection.encoded)
                writer.append(digest)
            })
    }

    /// TPM2_PolicyAuthorize: whatever was shown before, the key with this Name has signed it (with `reference` behind it).
    /// What was shown before is forgotten, so this comes first.
    mutating func authorized(byKeyNamed name: [UInt8], reference: [UInt8] = []) throws(PolicyError) {
        let zeros = [UInt8](repeating: 0, count: HashAlgorithm.sha256.size)
        let first = try policyHash(
            TPMWriter.bytes { writer in
                writer.append(zeros)
                writer.integer(Command.policyAuthorize)
                writer.append(name)
            })
        bytes = try policyHash(first + reference)
    }

    /// TPM2_PolicyAuthValue: the object's auth value, a PIN, is proven, too.
    mutating func authValue() throws(PolicyError) {
        bytes = try policyHash(
            TPMWriter.bytes { writer in
                writer.append(bytes)
                writer.integer(Command.policyAuthValue)
            })
    }
}
