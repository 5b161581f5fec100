internal import Crypto
internal import Keyring

/// What a record keeps about a PKCS#11 recipient: version(1), then fields tag(1) ‖ length(1) ‖ value in the order of
/// their tags, empty ones left out. At most 512 bytes. Frozen: docs/formats.md.
struct KeyDescription: Sendable, Equatable {
    static let kind = "pkcs11"

    private static let version: UInt8 = 1
    /// Bytes of one field.
    private static let maximumField = 128

    let tokenSerial: String
    let tokenLabel: String
    let manufacturer: String
    let model: String
    let keyID: [UInt8]
    /// Cut to 128 bytes.
    let keyLabel: String
    /// CKK_….
    let keyType: UInt32

    init(_ token: TokenInfo, _ key: SealingKey) {
        self.init(
            tokenSerial: token.serial, tokenLabel: token.label, manufacturer: token.manufacturer, model: token.model,
            keyID: key.id, keyLabel: key.label, keyType: UInt32(truncatingIfNeeded: key.keyType))
    }

    init(
        tokenSerial: String, tokenLabel: String, manufacturer: String, model: String, keyID: [UInt8], keyLabel: String,
        keyType: UInt32
    ) {
        self.tokenSerial = tokenSerial
        self.tokenLabel = tokenLabel
        self.manufacturer = manufacturer
        self.model = model
        self.keyID = keyID
        var label = keyLabel
        while label.utf8.count > KeyDescription.maximumField { label.removeLast() }
        self.keyLabel = label
        self.keyType = keyType
    }

    var encoded: [UInt8] {
        let type = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: keyType >> $0) }
        let fields = [
            Array(tokenSerial.utf8), Array(tokenLabel.utf8), Array(manufacturer.utf8), Array(model.utf8), keyID,
            Array(keyLabel.utf8), type,
        ]
        return zip(UInt8(1)..., fields).reduce(into: [KeyDescription.version]) { bytes, field in
            // Text that was not UTF-8 on the token may have grown; 255 is the length byte's limit.
            let value = field.1.prefix(KeyDescription.maximumField)
            if !value.isEmpty { bytes += [field.0, UInt8(value.count)] + value }
        }
    }

    /// Nil unless `bytes` is exactly what `encoded` would make.
    init?(_ bytes: [UInt8]) {
        guard bytes.count <= 512, bytes.first == KeyDescription.version else { return nil }
        var fields = [[UInt8]](repeating: [], count: 8)
        var rest = bytes.dropFirst()
        while let tag = rest.popFirst() {
            guard 1...7 ~= tag, let count = rest.popFirst(), rest.count >= Int(count) else { return nil }
            fields[Int(tag)] = Array(rest.prefix(Int(count)))
            rest = rest.dropFirst(Int(count))
        }
        var texts: [String] = []
        for tag in [1, 2, 3, 4, 6] {
            guard let text = String(validating: fields[tag], as: UTF8.self) else { return nil }
            texts.append(text)
        }
        guard fields[7].count == 4 else { return nil }
        self.init(
            tokenSerial: texts[0], tokenLabel: texts[1], manufacturer: texts[2], model: texts[3], keyID: fields[5],
            keyLabel: texts[4], keyType: fields[7].reduce(0) { $0 << 8 | UInt32($1) })
        guard encoded == bytes else { return nil }
    }

    /// The recipient; its ID comes from the token's serial and CKA_ID alone, so that labels may change.
    ///
    /// - Throws: `keyRefused` for a CKA_ID that does not fit: the description would be another key's after a restart.
    func recipient() throws(PKCS11Error) -> Recipient {
        guard keyID.count <= KeyDescription.maximumField else {
            throw PKCS11Error(
                .keyRefused, "key \(SealingKey.name(label: keyLabel, id: keyID)) has a CKA_ID of \(keyID.count) bytes",
                hint:
                    "give it one of at most \(KeyDescription.maximumField) with the HSM's tools (pkcs11-tool --set-id)")
        }
        let identity =
            PKCS11Seal.lengthPrefixed(Array("trousseau pkcs11 recipient v1".utf8))
            + PKCS11Seal.lengthPrefixed(Array(tokenSerial.utf8)) + PKCS11Seal.lengthPrefixed(keyID)
        do {
            let hash = try SHA256.hash(identity)
            let id = KeyDescription.kind + ":" + Base32.encode(Array(hash.prefix(16)))
            return Recipient(id: id, kind: KeyDescription.kind, description: encoded)
        } catch {
            throw PKCS11Error(.call, "recipient ID: \(error)", errorClass: .retry)
        }
    }

    /// Whether the URI selects this key, as far as the description tells.
    func matches(_ uri: KeyURI) -> Bool {
        (uri.tokenLabel ?? tokenLabel) == tokenLabel && (uri.tokenSerial ?? tokenSerial) == tokenSerial
            && (uri.manufacturer ?? manufacturer) == manufacturer && (uri.model ?? model) == model
            && (uri.objectID ?? keyID) == keyID && (uri.objectLabel ?? keyLabel) == keyLabel
    }
}
