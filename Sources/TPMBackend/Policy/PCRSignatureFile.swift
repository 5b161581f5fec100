internal import Crypto

/// What systemd-measure and ukify write as `tpm2-pcr-signature.json`: an object with an array for each bank, in which each
/// element approves one state of some PCRs.
struct PCRSignatureFile: Sendable, Hashable {
    /// One element of the SHA-256 bank's array.
    struct Entry: Sendable, Hashable {
        /// `pcrs`.
        let selection: PCRSelection
        /// `pkfp`: whose signature it is, 32 bytes.
        let fingerprint: [UInt8]
        /// `pol`: the approved policy digest, 32 bytes.
        let policy: [UInt8]
        /// `sig`: over SHA-256 of `policy`.
        let signature: [UInt8]
    }

    /// At most so many are looked at; an image has one for each phase of its boot.
    static let entryLimit = 256

    /// For messages.
    let path: String
    let entries: [Entry]

    /// Parses a file. Elements without `pkfp` or `sig` (systemd-measure policy-digest writes such) are left out, and so are
    /// other banks and names that are not known here.
    ///
    /// - Throws: `file`, with the place where it went wrong.
    init(_ bytes: [UInt8], path: String) throws(PolicyError) {
        var reader = JSONReader(bytes)
        var entries: [Entry] = []
        do throws(JSONError) {
            try reader.object { (bank, reader) throws(JSONError) in
                guard bank == "sha256" else { return try reader.skip() }
                try reader.array { (reader) throws(JSONError) in
                    guard let entry = try PCRSignatureFile.entry(&reader) else { return }
                    guard entries.count < PCRSignatureFile.entryLimit else {
                        throw reader.failure("more than \(PCRSignatureFile.entryLimit) signatures")
                    }
                    entries.append(entry)
                }
            }
            try reader.finish()
        } catch {
            throw PolicyError(
                .file, "\(path): \(error.reason) (at byte \(error.offset))",
                hint: "it should be what systemd-measure sign writes")
        }
        self.path = path
        self.entries = entries
    }

    private static func entry(_ reader: inout JSONReader) throws(JSONError) -> Entry? {
        var mask: UInt32 = 0
        var fingerprint: [UInt8] = []
        var policy: [UInt8] = []
        var signature: [UInt8] = []
        try reader.object { (name, reader) throws(JSONError) in
            switch name {
            case "pcrs":
                try reader.array { (reader) throws(JSONError) in
                    mask |= 1 << UInt32(try reader.integer(upTo: PCRSelection.registers - 1))
                }
            case "pkfp": fingerprint = try digest(&reader)
            case "pol": policy = try digest(&reader)
            case "sig":
                guard let bytes = Base64.decode(try reader.string()), !bytes.isEmpty else {
                    throw reader.failure("sig is not base64")
                }
                signature = bytes
            default: try reader.skip()
            }
        }
        guard let selection = PCRSelection(mask: mask), !policy.isEmpty else {
            throw reader.failure("a signature without pcrs or pol")
        }
        guard !fingerprint.isEmpty, !signature.isEmpty else { return nil }
        return Entry(selection: selection, fingerprint: fingerprint, policy: policy, signature: signature)
    }

    private static func digest(_ reader: inout JSONReader) throws(JSONError) -> [UInt8] {
        guard let bytes = Hex.decode(try reader.string()), bytes.count == HashAlgorithm.sha256.size else {
            throw reader.failure("not a SHA-256 digest in hexadecimal")
        }
        return bytes
    }
}
