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

    /// Writes the text of `bytes`, a secret, to memory of at least 4 bytes for each 3 begun, and one more.
    ///
    /// - Returns: how many bytes were written; nil when they do not fit.
    public static func encode(
        _ bytes: UnsafeRawBufferPointer, into text: UnsafeMutableRawBufferPointer
    ) -> Int? {
        // With a NUL at its end.
        guard text.count > (bytes.count + 2) / 3 * 4, let count = CInt(exactly: bytes.count) else { return nil }
        return Int(
            EVP_EncodeBlock(
                text.assumingMemoryBound(to: UInt8.self).baseAddress,
                bytes.assumingMemoryBound(to: UInt8.self).baseAddress, count))
    }

    /// Writes the bytes of a text, which are a secret, to memory of at least 3 bytes for each 4.
    ///
    /// - Returns: how many bytes there are; nil unless `text` is exactly what `encode` makes of them.
    public static func decode(
        _ text: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard text.count.isMultiple(of: 4), bytes.count >= text.count / 4 * 3, let count = CInt(exactly: text.count)
        else { return nil }
        if text.isEmpty { return 0 }
        let written = EVP_DecodeBlock(
            bytes.assumingMemoryBound(to: UInt8.self).baseAddress,
            text.assumingMemoryBound(to: UInt8.self).baseAddress, count)
        guard Int(written) == text.count / 4 * 3 else { return nil }
        let length = Int(written) - text.suffix(2).count { $0 == UInt8(ascii: "=") }
        // As above: only one spelling is right.
        guard let again = try? SecretScratch(count: text.count + 1),
            encode(UnsafeRawBufferPointer(rebasing: bytes[..<length]), into: again.bytes) == text.count,
            CRYPTO_memcmp(again.bytes.baseAddress, text.baseAddress, text.count) == 0
        else { return nil }
        return length
    }
}
