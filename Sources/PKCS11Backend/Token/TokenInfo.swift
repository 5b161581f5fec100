internal import CP11Kit
internal import Keyring

/// What a token says about itself (CK_TOKEN_INFO), with the padding removed.
struct TokenInfo: Sendable, Equatable {
    let slot: CK_SLOT_ID
    let label: String
    let serial: String
    let manufacturer: String
    let model: String
    let flags: CK_FLAGS
    /// Sessions that one application may have; nil when there is no limit or the token does not say.
    let sessionLimit: Int?

    init(slot: CK_SLOT_ID, _ info: CK_TOKEN_INFO) {
        self.slot = slot
        label = withUnsafeBytes(of: info.label) { TokenInfo.text($0) }
        serial = withUnsafeBytes(of: info.serialNumber) { TokenInfo.text($0) }
        manufacturer = withUnsafeBytes(of: info.manufacturerID) { TokenInfo.text($0) }
        model = withUnsafeBytes(of: info.model) { TokenInfo.text($0) }
        flags = info.flags
        let limit = info.ulMaxSessionCount
        sessionLimit = limit == 0 || limit == CK_ULONG.max ? nil : Int(clamping: limit)
    }

    func has(_ flag: TokenFlag) -> Bool { flags & flag.bits != 0 }

    /// Whether the URI's token attributes all fit.
    func matches(_ uri: KeyURI) -> Bool {
        (uri.tokenLabel ?? label) == label && (uri.tokenSerial ?? serial) == serial
            && (uri.manufacturer ?? manufacturer) == manufacturer && (uri.model ?? model) == model
    }

    /// For lists: `"trousseau" (serial 0a1b)`.
    var name: String { "\"\(label)\" (serial \(serial))" }

    /// PKCS#11 pads with spaces; some libraries with NULs. Bytes that are not UTF-8 become U+FFFD, control characters
    /// "?": the text is shown to operators.
    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        var end = bytes.count
        while end > 0, bytes[end - 1] == 0x20 || bytes[end - 1] == 0 { end -= 1 }
        let clean = bytes.prefix(end).map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: "?") : $0 }
        return String(decoding: clean, as: UTF8.self)
    }
}

extension Module {
    /// More slots than any library has.
    private static let maximumSlots: CK_ULONG = 1024

    /// All initialized tokens.
    func tokens() throws(PKCS11Error) -> [TokenInfo] {
        var count: CK_ULONG = 0
        try call("C_GetSlotList") { $0.pointee.C_GetSlotList?(1, nil, &count) }
        guard count > 0 else { return [] }
        // Slots may appear between the two calls. The number is the library's word: no reason to take all memory.
        count = min(count, Module.maximumSlots) + 8
        var slots = [CK_SLOT_ID](repeating: 0, count: Int(clamping: count))
        try call("C_GetSlotList") { $0.pointee.C_GetSlotList?(1, &slots, &count) }
        var tokens: [TokenInfo] = []
        for slot in slots.prefix(Int(clamping: count)) {
            // A slot that does not answer is somebody else's.
            guard let token = try? token(in: slot), token.has(.initialized) else { continue }
            tokens.append(token)
        }
        return tokens
    }

    /// The token in a slot, with its flags as they are now.
    func token(in slot: CK_SLOT_ID) throws(PKCS11Error) -> TokenInfo {
        var info = CK_TOKEN_INFO()
        try call("C_GetTokenInfo") { $0.pointee.C_GetTokenInfo?(slot, &info) }
        return TokenInfo(slot: slot, info)
    }

    /// The one token that the URI selects.
    func selectToken(_ uri: KeyURI) throws(PKCS11Error) -> TokenInfo {
        let all = try tokens()
        let matching = all.filter { $0.matches(uri) }
        if let token = matching.first, matching.count == 1 { return token }
        guard matching.isEmpty else {
            throw PKCS11Error(
                .notFound, "\(matching.count) tokens fit the URI: \(matching.map(\.name).joined(separator: ", "))",
                hint: "add serial= to the URI")
        }
        let wanted = [uri.tokenLabel.map { "\"\($0)\"" }, uri.tokenSerial.map { "serial \($0)" }].compactMap { $0 }
        let present = all.isEmpty ? "no token at all" : all.map(\.name).joined(separator: ", ")
        throw PKCS11Error(
            .notFound, "token \(wanted.joined(separator: ", ")) is not there; \(path) has \(present)",
            hint: "connect the token, or correct the URI; it is looked for again by itself", errorClass: .reopen,
            level: .module)
    }
}
