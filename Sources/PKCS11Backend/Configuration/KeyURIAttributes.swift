/// The attributes of a `pkcs11:` URI: known names, each once, values percent-decoded (RFC 7512, section 2.3).
enum KeyURIAttributes {
    private static let pathNames: Set<String> = ["token", "serial", "manufacturer", "model", "object", "id", "type"]
    private static let queryNames: Set<String> = ["module-path", "pin-source", "pin-value"]

    /// What stands before and after the first "?"; `query` is nil without one.
    static func parts(of text: String) -> (path: Substring?, query: Substring?) {
        let parts = text.dropFirst("pkcs11:".count).split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        return (parts.first, parts.dropFirst().first)
    }

    /// Names and values in order; ";" separates the path's, "&" the query's.
    static func read(
        _ text: Substring?, separator: Character
    ) throws(PKCS11Error) -> [(name: String, value: [UInt8])] {
        guard let text else { return [] }
        let inQuery = separator == "&"
        var found: [(name: String, value: [UInt8])] = []
        for attribute in text.split(separator: separator, omittingEmptySubsequences: false) {
            let pair = attribute.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, !pair[0].isEmpty else {
                throw KeyURI.error("an attribute has no name or no \"=\"")
            }
            let name = String(pair[0])
            guard (inQuery ? queryNames : pathNames).contains(name) else { throw unknown(name, inQuery: inQuery) }
            guard !found.contains(where: { $0.name == name }) else { throw KeyURI.error("\(name) stands there twice") }
            guard let value = percentDecoded(pair[1], inQuery: inQuery) else {
                throw KeyURI.error("\(name) holds a character that has to be written as %XX")
            }
            found.append((name, value))
        }
        return found
    }

    private static func unknown(_ name: String, inQuery: Bool) -> PKCS11Error {
        if name.hasPrefix("slot-") || name.hasPrefix("library-") {
            return KeyURI.error("\(name.prefix(24)) is not supported", hint: "select by token and serial")
        }
        let known = (inQuery ? queryNames : pathNames).sorted().joined(separator: ", ")
        // Only a plain name is shown: something else may be half of a PIN whose "&" was not escaped.
        let isPlain = !inQuery && name.utf8.count <= 24 && name.utf8.allSatisfy { 0x61...0x7A ~= $0 || $0 == 0x2D }
        return KeyURI.error(isPlain ? "unknown attribute \"\(name)\"" : "unknown attribute", hint: "known: \(known)")
    }

    /// RFC 7512: pk11-path-res-avail and pk11-query-res-avail.
    private static func percentDecoded(_ text: Substring, inQuery: Bool) -> [UInt8]? {
        let allowed = Array("-._~:[]@!$'()*+,=".utf8) + Array((inQuery ? "/?|" : "&").utf8)
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.count >= 2, let decoded = hexByte(rest.prefix(2)) else { return nil }
                bytes.append(decoded)
                rest = rest.dropFirst(2)
            } else {
                let isWord = 0x30...0x39 ~= byte || 0x41...0x5A ~= byte || 0x61...0x7A ~= byte
                guard isWord || allowed.contains(byte) else { return nil }
                bytes.append(byte)
            }
        }
        return bytes
    }

    private static func hexByte(_ digits: ArraySlice<UInt8>) -> UInt8? {
        guard digits.allSatisfy({ 0x30...0x39 ~= $0 || 0x41...0x46 ~= $0 || 0x61...0x66 ~= $0 }) else { return nil }
        return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
