internal import Crypto
internal import Keyring

/// What a record keeps about a TPM recipient: version(1), then fields tag(1) ‖ length(2, big-endian) ‖ value in the order
/// of their tags, empty ones left out. At most 512 bytes. Frozen: docs/formats.md.
///
/// | tag | value |
/// | --- | --- |
/// | 1 | scope (1): 1 shared, 2 local |
/// | 2 | the storage root key: shared: its TPMT_PUBLIC; local: its Name |
/// | 3 | the policy's digest (32); left out without a policy |
/// | 4 | the policy's parameters (`TPMPolicy`); left out without a policy |
/// | 5 | 1 (1) when a PIN is wanted; left out otherwise |
struct RecipientDescription: Sendable, Hashable {
    static let kind = "tpm"

    private static let version: UInt8 = 1
    private static let limit = 512

    /// Where seals to it are kept, and so how they are made.
    enum Scope: Sendable, Hashable {
        /// In the shared record: sealed in software to the storage root key with this public area.
        case shared(TPMPublic)
        /// On this node: an object made by the TPM whose storage root key has this Name.
        case local(name: [UInt8])
    }

    let scope: Scope
    /// Empty, or 32 bytes.
    let policyDigest: [UInt8]
    let policy: [UInt8]
    let wantsPIN: Bool

    init(_ scope: Scope, policyDigest: [UInt8] = [], policy: [UInt8] = [], wantsPIN: Bool = false) {
        self.scope = scope
        self.policyDigest = policyDigest
        self.policy = policy
        self.wantsPIN = wantsPIN
    }

    var encoded: [UInt8] {
        let key: [UInt8]
        let number: UInt8
        switch scope {
        case .shared(let area): (number, key) = (1, area.encoded)
        case .local(let name): (number, key) = (2, name)
        }
        let fields: [[UInt8]] = [[number], key, policyDigest, policy, wantsPIN ? [1] : []]
        return TPMWriter.bytes { writer in
            writer.integer(RecipientDescription.version)
            for (tag, value) in zip(UInt8(1)..., fields) where !value.isEmpty {
                writer.integer(tag)
                writer.sized(value)
            }
        }
    }

    /// Nil unless `bytes` is exactly what `encoded` would make.
    init?(_ bytes: [UInt8]) {
        guard bytes.count <= RecipientDescription.limit, let fields = RecipientDescription.fields(bytes) else {
            return nil
        }
        let scope: Scope
        switch fields[1] {
        case [1]:
            // Whoever makes a shared seal does not know the PIN, and without it such a seal would open to anyone.
            guard fields[5].isEmpty, let area = try? TPMPublic(fields[2]) else { return nil }
            scope = .shared(area)
        case [2]:
            guard !fields[2].isEmpty else { return nil }
            scope = .local(name: fields[2])
        default: return nil
        }
        guard fields[3].isEmpty || fields[3].count == 32 else { return nil }
        self.init(scope, policyDigest: fields[3], policy: fields[4], wantsPIN: fields[5] == [1])
        guard encoded == bytes else { return nil }
    }

    private static func fields(_ bytes: [UInt8]) -> [[UInt8]]? {
        do throws(TPMFormatError) {
            var reader = TPMReader(bytes, "a TPM recipient")
            guard try reader.uint8() == version else { return nil }
            var fields = [[UInt8]](repeating: [], count: 6)
            while reader.remaining > 0 {
                let tag = Int(try reader.uint8())
                guard 1...5 ~= tag else { return nil }
                fields[tag] = try reader.sized("a field", atMost: limit)
            }
            return fields
        } catch {
            return nil
        }
    }

    /// The Name of the storage root key.
    ///
    /// - Throws: `local`.
    var storageKeyName: [UInt8] {
        get throws(TPMError) {
            switch scope {
            case .local(let name): return name
            case .shared(let area):
                do {
                    return try area.name
                } catch {
                    throw TPMError(.local, "a Name: \(error)", errorClass: .retry)
                }
            }
        }
    }

    /// The recipient. A shared one is known by the storage root key alone, so that a new policy is a new seal to the same
    /// recipient; of local ones there may be several, for several states of one TPM.
    ///
    /// - Throws: `configuration` when the policy makes it too long. `local`.
    func recipient() throws(TPMError) -> Recipient {
        guard encoded.count <= RecipientDescription.limit else {
            throw TPMError(
                .configuration,
                "a policy over so many PCRs makes a recipient of \(encoded.count) bytes, more than "
                    + "\(RecipientDescription.limit)", hint: "name fewer PCRs")
        }
        let name = try storageKeyName
        let identity: [[UInt8]] =
            switch scope {
            case .shared: [Array("trousseau tpm recipient v1".utf8), name]
            case .local:
                [
                    Array("trousseau tpm local recipient v1".utf8), name, policyDigest, policy, [wantsPIN ? 1 : 0],
                ]
            }
        do {
            let hash = try SHA256.hash(
                TPMWriter.bytes { writer in
                    for part in identity {
                        writer.integer(UInt32(truncatingIfNeeded: part.count))
                        writer.append(part)
                    }
                })
            let id = RecipientDescription.kind + ":" + Base32.encode(Array(hash.prefix(16)))
            return Recipient(id: id, kind: RecipientDescription.kind, description: encoded)
        } catch {
            throw TPMError(.local, "a recipient's ID: \(error)", errorClass: .retry)
        }
    }

    /// What a recipient says, when its ID was made from it.
    static func of(_ recipient: Recipient) throws(TPMError) -> RecipientDescription {
        guard recipient.kind == kind, let description = RecipientDescription(recipient.description),
            try description.recipient().id == recipient.id
        else {
            throw TPMError(
                .seal, "recipient \(recipient.id) is not one of a TPM that this version knows",
                errorClass: .permanent)
        }
        return description
    }
}
