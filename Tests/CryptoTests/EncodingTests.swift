internal import Crypto
internal import Testing

@Suite("Hex, Base32 and Base64")
struct EncodingTests {
    @Test("hexadecimal text is lower case, and either case is read")
    func hexadecimal() {
        let all = [UInt8](0...255)
        #expect(Hex.encode(all).hasPrefix("000102030405060708090a0b0c0d0e0f"))
        #expect(Hex.decode(Hex.encode(all)) == all)
        #expect(Hex.decode("DEADbeef") == [0xde, 0xad, 0xbe, 0xef])
        #expect(Hex.encode([]) == "")
        #expect(Hex.decode("") == [])
    }

    @Test(
        "what is no hexadecimal text is refused",
        arguments: ["0", "000", "0g", "g0", " 00", "00 ", "0x00", "00\n", "-1", "+1", "٠٠", "é", "0\u{301}0", "\0\0"])
    func notHexadecimal(_ text: String) {
        #expect(Hex.decode(text) == nil)
    }

    @Test(
        "Base32 gives RFC 4648's examples, in lower case and without padding",
        arguments: [
            ("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"), ("fooba", "mzxw6ytb"),
            ("foobar", "mzxw6ytboi"),
        ])
    func base32(_ text: String, _ encoded: String) {
        #expect(Base32.encode(Array(text.utf8)) == encoded)
        #expect(Base32.isEncoded(encoded))
    }

    @Test("Base32 knows its alphabet", arguments: ["A", "0", "1", "8", "9", "a=", "é", " "])
    func notBase32(_ text: String) {
        #expect(!Base32.isEncoded(text))
    }

    @Test(
        "Base64 gives RFC 4648's examples",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func base64(_ text: String, _ encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(text.utf8))
    }

    @Test("Base64 brings all lengths back", arguments: [1, 2, 3, 47, 48, 49, 1000, 65_536])
    func base64Lengths(_ count: Int) throws {
        let bytes = try Random.bytes(count)
        #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }

    @Test(
        "Base64 in any other spelling is refused",
        arguments: [
            "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm8=\n", " Zm8=", "Zm8= ", "Zm\n8=", "Zg==Zg==", "====", "=",
            "Z===", "-_-_", "Zm9v\0\0\0\0", "Zm9vé==", "=Zm9", "Zm=v", "Zm9v====", "Zm9vZ===",
        ])
    func notBase64(_ text: String) {
        #expect(Base64.decode(text) == nil)
    }
}
