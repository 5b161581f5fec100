internal import Crypto

/// A sealed object at rest: a PEM block "TSS2 PRIVATE KEY" with an object of type sealed (OID 2.23.133.10.1.5; "ASN.1
/// Specification for TPM 2.0 Key Files"), which `tpm2_load -r FILE -c CONTEXT` and `tpm2_unseal -c CONTEXT` open.
///
/// Only the fields that tpm2-tools 5.4 takes: emptyAuth, parent, pubkey, privkey. Frozen: docs/formats.md.
struct TSS2PEM: Sendable, Hashable {
    /// False when the object has a PIN.
    let emptyAuth: Bool
    let object: SealedObject

    private static let begin = "-----BEGIN TSS2 PRIVATE KEY-----"
    private static let end = "-----END TSS2 PRIVATE KEY-----"
    private static let identifier: [UInt8] = [0x67, 0x81, 0x05, 0x0A, 0x01, 0x05]
    /// 0x81000001.
    private static let parent: [UInt8] = [0x00, 0x81, 0x00, 0x00, 0x01]
    /// As `Seal.bytes` allows.
    private static let limit = 2048

    init(_ object: SealedObject, emptyAuth: Bool) {
        self.object = object
        self.emptyAuth = emptyAuth
    }

    /// The text's bytes, with a newline at the end.
    var encoded: [UInt8] {
        let body = Base64.encode(der)
        var lines = [TSS2PEM.begin]
        var rest = Substring(body)
        while !rest.isEmpty {
            lines.append(String(rest.prefix(64)))
            rest = rest.dropFirst(64)
        }
        lines.append(TSS2PEM.end)
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    /// Nil unless `bytes` is exactly what `encoded` would make.
    init?(_ bytes: [UInt8]) {
        guard bytes.count <= TSS2PEM.limit, let text = String(validating: bytes, as: UTF8.self) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 4, lines[0] == TSS2PEM.begin, lines[lines.count - 2] == TSS2PEM.end,
            let der = Base64.decode(lines[1..<(lines.count - 2)].joined())
        else { return nil }
        var outer = DERReader(der)
        guard let content = outer.read(0x30), outer.isAtEnd else { return nil }
        var fields = DERReader(content)
        guard fields.read(0x06) == TSS2PEM.identifier, let tagged = fields.read(0xA0) else { return nil }
        var flag = DERReader(tagged)
        guard let boolean = flag.read(0x01), flag.isAtEnd, fields.read(0x02) == TSS2PEM.parent,
            let publicArea = fields.read(0x04), let privateArea = fields.read(0x04), fields.isAtEnd,
            let area = try? TPMPublic(sized: publicArea)
        else { return nil }
        self.init(SealedObject(publicArea: area, privateArea: privateArea), emptyAuth: boolean == [0xFF])
        guard encoded == bytes else { return nil }
    }

    private var der: [UInt8] {
        DERReader.value(
            0x30,
            DERReader.value(0x06, TSS2PEM.identifier)
                + DERReader.value(0xA0, DERReader.value(0x01, [emptyAuth ? 0xFF : 0x00]))
                + DERReader.value(0x02, TSS2PEM.parent) + DERReader.value(0x04, object.publicArea.encodedSized)
                + DERReader.value(0x04, object.privateArea))
    }
}

/// As much of DER (X.690) as a key file of a few hundred bytes needs.
struct DERReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    /// The content of the next value when it has this tag; its length has one to three bytes.
    mutating func read(_ tag: UInt8) -> [UInt8]? {
        guard rest.popFirst() == tag, let first = rest.popFirst() else { return nil }
        var count = Int(first)
        if first >= 0x80 {
            guard 1...2 ~= first - 0x80, rest.count >= 2 else { return nil }
            count = rest.prefix(Int(first - 0x80)).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(Int(first - 0x80))
        }
        guard count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    /// A value with this tag, in DER; at most 65535 bytes.
    static func value(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        let length: [UInt8] =
            switch count {
            case ..<0x80: [UInt8(count)]
            case ..<0x100: [0x81, UInt8(count)]
            default: [0x82, UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
            }
        return [tag] + length + content
    }
}
