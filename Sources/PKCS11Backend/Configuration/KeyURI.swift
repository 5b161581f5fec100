internal import CP11Kit

/// A `pkcs11:` URI (RFC 7512) that selects one token and one key on it, read strictly.
///
/// `p11_kit_uri_parse` (p11-kit 0.24) accepts unknown attributes, takes the last of two equal ones and drops spaces, so
/// the text is checked before it sees it. A `pin-value` is never kept in this type or in its errors.
struct KeyURI: Sendable, Equatable {
    /// Nil: any. Selection is by label and serial; slot numbers shift and are refused.
    private(set) var tokenLabel: String?
    private(set) var tokenSerial: String?
    private(set) var manufacturer: String?
    private(set) var model: String?
    /// CKA_LABEL.
    private(set) var objectLabel: String?
    /// CKA_ID, at most 64 bytes.
    private(set) var objectID: [UInt8]?
    /// True for `type=private`, false for `type=secret-key`, nil when the URI does not say.
    private(set) var isPrivateKey: Bool?
    /// Query attributes; the configuration's own settings come first.
    private(set) var modulePath: String?
    private(set) var pinSource: String?
    /// Whether a `pin-value` stood there (allowed only by the operator's word); for its value see `pinValue(of:)`.
    private(set) var hasPINValue = false

    /// Reads a URI.
    ///
    /// - Throws: `PKCS11Error.configuration`, naming the attribute; never with the value of `pin-value`.
    init(_ text: String, allowPINValue: Bool = false) throws(PKCS11Error) {
        guard text.utf8.count <= 2048 else { throw KeyURI.error("the URI is longer than 2048 bytes") }
        guard text.hasPrefix("pkcs11:") else { throw KeyURI.error("the URI does not begin with \"pkcs11:\"") }
        guard text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            throw KeyURI.error("a space or a character outside ASCII", hint: "write it as %20, %c3%a4 and so on")
        }
        let parts = KeyURIAttributes.parts(of: text)
        for (name, value) in try KeyURIAttributes.read(parts.path, separator: ";") { try set(name, to: value) }
        for (name, value) in try KeyURIAttributes.read(parts.query, separator: "&") {
            if name == "pin-value" && !allowPINValue {
                throw KeyURI.error(
                    "pin-value is not allowed in a URI", hint: "put the PIN into a file and name it by pinSource")
            }
            try set(name, to: value)
        }
        guard tokenLabel != nil || tokenSerial != nil else {
            throw KeyURI.error("no token is named", hint: "add token=LABEL or serial=NUMBER")
        }
        guard objectLabel != nil || objectID != nil else {
            throw KeyURI.error("no key is named", hint: "add object=LABEL or id=%01")
        }
        try KeyURI.checkWithLibrary(text)
    }

    /// The `pin-value` of a URI that was read before.
    static func pinValue(of text: String) throws(PKCS11Error) -> [UInt8]? {
        try KeyURIAttributes.read(KeyURIAttributes.parts(of: text).query, separator: "&")
            .first { $0.name == "pin-value" }?.value
    }

    private mutating func set(_ name: String, to bytes: [UInt8]) throws(PKCS11Error) {
        if name == "id" {
            guard 1...64 ~= bytes.count else { throw KeyURI.error("id has \(bytes.count) bytes, not 1 to 64") }
            objectID = bytes
            return
        }
        if name == "pin-value" {
            guard !bytes.isEmpty else { throw KeyURI.error("pin-value is empty") }
            hasPINValue = true
            return
        }
        guard let text = String(validating: bytes, as: UTF8.self), !text.isEmpty, !bytes.contains(0) else {
            throw KeyURI.error("\(name) is empty or not UTF-8")
        }
        switch name {
        case "token": tokenLabel = try KeyURI.bounded(name, text, 32)
        case "serial": tokenSerial = try KeyURI.bounded(name, text, 16)
        case "manufacturer": manufacturer = try KeyURI.bounded(name, text, 32)
        case "model": model = try KeyURI.bounded(name, text, 16)
        case "object": objectLabel = try KeyURI.bounded(name, text, 255)
        case "module-path": modulePath = text
        case "pin-source": pinSource = text
        default:
            guard text == "private" || text == "secret-key" else {
                throw KeyURI.error(
                    "an object of this type cannot seal",
                    hint: "use type=secret-key (AES) or type=private (RSA), or leave it out")
            }
            isPrivateKey = text == "private"
        }
    }

    private static func bounded(_ name: String, _ text: String, _ limit: Int) throws(PKCS11Error) -> String {
        guard text.utf8.count <= limit else { throw error("\(name) is longer than PKCS#11's \(limit) bytes") }
        return text
    }

    /// p11-kit has the last word on the syntax: what it does not read, other tools will not either.
    private static func checkWithLibrary(_ text: String) throws(PKCS11Error) {
        guard let uri = p11_kit_uri_new() else { throw error("p11_kit_uri_new: no memory") }
        defer { p11_kit_uri_free(uri) }
        let result = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri)
        guard result == 0 else {
            throw error("p11_kit_uri_parse: " + (p11_kit_uri_message(result).map { String(cString: $0) } ?? "refused"))
        }
        guard p11_kit_uri_any_unrecognized(uri) == 0 else { throw error("p11-kit does not know one of its attributes") }
    }

    static func error(_ message: String, hint: String? = nil) -> PKCS11Error {
        PKCS11Error(.configuration, "key URI: \(message)", hint: hint)
    }
}
