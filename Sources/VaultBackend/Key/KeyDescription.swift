internal import Crypto
internal import Keyring

/// What a record keeps about a Vault recipient: version(1), then fields tag(1) ‖ length(2, big-endian) ‖ value: 1 the
/// mount with its namespace, 2 the key's name, 3 a version of the key (4 bytes), 4 when that was made (8 bytes, seconds
/// since 1970). At most 512 bytes. Frozen: docs/formats.md.
///
/// The version is the oldest that Vault showed when the recipient was made; rotating the key adds others and changes
/// nothing. A key that was deleted and made anew has the same name and a version 1, but not the same time.
struct KeyDescription: Sendable, Equatable {
    static let kind = "vault"

    private static let formatVersion: UInt8 = 1

    /// `namespace/mount`.
    let mount: String
    let key: String
    let version: UInt32
    let created: Int64

    init(mount: String, key: String, version: UInt32, created: Int64) {
        self.mount = mount
        self.key = key
        self.version = version
        self.created = created
    }

    /// By the oldest version that is shown.
    init?(_ key: TransitKey, mount: String, name: String) {
        guard let oldest = key.oldest, let version = UInt32(exactly: oldest.version) else { return nil }
        self.init(mount: mount, key: name, version: version, created: oldest.created)
    }

    private var fields: [[UInt8]] {
        [
            Array(mount.utf8), Array(key.utf8), [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: version >> $0) },
            stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: created >> Int64($0)) },
        ]
    }

    var encoded: [UInt8] {
        zip(UInt8(1)..., fields).reduce(into: [KeyDescription.formatVersion]) { bytes, field in
            let count = UInt16(truncatingIfNeeded: field.1.count)
            bytes += [field.0, UInt8(count >> 8), UInt8(truncatingIfNeeded: count)] + field.1
        }
    }

    /// Nil unless `bytes` is exactly what `encoded` would make.
    init?(_ bytes: [UInt8]) {
        guard bytes.count <= 512, bytes.first == KeyDescription.formatVersion else { return nil }
        var fields: [[UInt8]] = []
        var rest = bytes.dropFirst()
        while let tag = rest.popFirst() {
            guard Int(tag) == fields.count + 1, let high = rest.popFirst(), let low = rest.popFirst() else {
                return nil
            }
            let count = Int(high) << 8 | Int(low)
            guard rest.count >= count else { return nil }
            fields.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        guard fields.count == 4, fields[2].count == 4, fields[3].count == 8,
            let mount = String(validating: fields[0], as: UTF8.self),
            let key = String(validating: fields[1], as: UTF8.self)
        else { return nil }
        self.init(
            mount: mount, key: key, version: fields[2].reduce(0) { $0 << 8 | UInt32($1) },
            created: fields[3].reduce(0) { $0 << 8 | Int64($1) })
        guard encoded == bytes else { return nil }
    }

    /// The recipient; its ID comes from all of it.
    func recipient() throws(VaultError) -> Recipient {
        let parts = [Array("trousseau vault recipient v1".utf8)] + fields
        let identity = parts.flatMap { part in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: UInt32(part.count) >> $0) } + part
        }
        do {
            let hash = try SHA256.hash(identity)
            let id = KeyDescription.kind + ":" + Base32.encode(Array(hash.prefix(16)))
            return Recipient(id: id, kind: KeyDescription.kind, description: encoded)
        } catch {
            throw VaultError(error)
        }
    }

    /// Whether a key is the described one.
    enum Match: Sendable {
        case same, other
        /// The version is not shown any more, since the minimum version was raised. The key can be the same; a seal that
        /// opens shows that it is.
        case unknown
    }

    func match(_ shown: TransitKey) -> Match {
        if let time = shown.created[Int(version)] { return time == created ? .same : .other }
        guard let oldest = shown.oldest, oldest.version > Int(version), oldest.created >= created else { return .other }
        return .unknown
    }
}
