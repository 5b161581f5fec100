internal import COpenSSL

/// Base64 (RFC 4648, with padding), by libcrypto's block functions.
public enum Base64 {
    /// The text of `bytes`, on one line.
    public static func encode(_ bytes: [UInt8]) -> String {
        var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        let written = EVP_EncodeBlock(&text, bytes, CInt(clamping: bytes.count))
        return String(decoding: text.prefix(Int(max(written, 0))), as: UTF8.self)
    }

    /// The bytes, or nil unless `text` is exactly what `encode` makes of them.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count.isMultiple(of: 4), characters.count <= 1 << 24 else { return nil }
        if characters.isEmpty { return [] }
        var bytes = [UInt8](repeating: 0, count: characters.count / 4 * 3)
        let written = EVP_DecodeBlock(&bytes, characters, CInt(characters.count))
        let padding = characters.suffix(2).count { $0 == UInt8(ascii: "=") }
        guard Int(written) == bytes.count, padding <= bytes.count else { return nil }
        bytes.removeLast(padding)
        // EVP_DecodeBlock skips white space and takes stray bits in the last character: only one spelling is right.
        return encode(bytes).utf8.elementsEqual(characters) ? bytes : nil
    }
}
