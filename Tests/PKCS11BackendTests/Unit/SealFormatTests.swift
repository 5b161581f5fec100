internal import Keyring
internal import Testing

@testable import PKCS11Backend

@Suite("the seal's and the recipient's format")
struct SealFormatTests {
    private let seal = PKCS11Seal(
        mechanism: 0x1087, style: .callerIV, iv: Array(1...12), ciphertext: Array(20..<68))

    @Test("the bytes of a seal are these")
    func knownBytes() throws {
        #expect(seal.encoded == [1, 0, 0, 0x10, 0x87, 1, 12] + Array(1...12) + Array(20..<68))
        #expect(try PKCS11Seal(seal.encoded) == seal)
    }

    @Test("a seal cut before its ciphertext does not parse; what parses encodes to the same bytes")
    func truncation() throws {
        for count in 0...19 {
            #expect(throws: PKCS11Error.self) { try PKCS11Seal(Array(seal.encoded.prefix(count))) }
        }
        for index in seal.encoded.indices {
            for bit in 0..<8 {
                var bytes = seal.encoded
                bytes[index] ^= 1 << bit
                guard let parsed = try? PKCS11Seal(bytes) else { continue }
                #expect(parsed.encoded == bytes)
            }
        }
        #expect(throws: PKCS11Error.self) { try PKCS11Seal([UInt8](repeating: 1, count: 2049)) }
    }

    @Test("a mechanism or style of a later version is named, not guessed")
    func unknownMechanism() throws {
        var bytes = seal.encoded
        bytes[4] = 0x0A
        bytes[3] = 0x21
        let parsed = try PKCS11Seal(bytes)
        #expect {
            _ = try SealingMechanisms.named(parsed)
        } throws: {
            "\($0)".contains("mechanism 0x210a, style 1 is unknown")
        }
    }

    @Test("the context is the domain and the KEK's ID, each with its length")
    func context() throws {
        let id = try #require(KEKID([UInt8](repeating: 9, count: 32)))
        let domain = Array("trousseau pkcs11 seal v1".utf8)
        #expect(PKCS11Seal.context(id) == [0, 0, 0, 24] + domain + [0, 0, 0, 32] + id.bytes)
    }

    private let description = KeyDescription(
        tokenSerial: "0a1b", tokenLabel: "rack", manufacturer: "", model: "m", keyID: [1, 2], keyLabel: "kek",
        keyType: 0x1F)

    @Test("the bytes of a description are these, and the recipient's ID depends on serial and CKA_ID alone")
    func knownDescription() throws {
        let bytes: [UInt8] =
            [1, 1, 4] + Array("0a1b".utf8) + [2, 4] + Array("rack".utf8) + [4, 1] + Array("m".utf8) + [
                5, 2, 1, 2, 6, 3,
            ]
            + Array("kek".utf8) + [7, 4, 0, 0, 0, 0x1F]
        #expect(description.encoded == bytes)
        #expect(KeyDescription(bytes) == description)
        let recipient = try description.recipient()
        #expect(recipient.kind == "pkcs11" && recipient.description == bytes)
        #expect(recipient.id.hasPrefix("pkcs11:") && recipient.id.utf8.count == 7 + 26)
        let renamed = KeyDescription(
            tokenSerial: "0a1b", tokenLabel: "x", manufacturer: "y", model: "", keyID: [1, 2], keyLabel: "",
            keyType: 0)
        #expect(try renamed.recipient().id == recipient.id)
        let other = KeyDescription(
            tokenSerial: "0a1", tokenLabel: "rack", manufacturer: "", model: "m", keyID: [0x62, 1, 2],
            keyLabel: "kek", keyType: 0x1F)
        #expect(try other.recipient().id != recipient.id)
    }

    @Test("whatever description is accepted encodes to the same bytes, and the longest fits 512")
    func canonical() {
        for index in description.encoded.indices {
            for bit in 0..<8 {
                var bytes = description.encoded
                bytes[index] ^= 1 << bit
                if let parsed = KeyDescription(bytes) { #expect(parsed.encoded == bytes) }
            }
            #expect(KeyDescription(Array(description.encoded[..<index])) == nil)
        }
        let long = String(repeating: "é", count: 400)
        let longest = KeyDescription(
            tokenSerial: String(repeating: "s", count: 16), tokenLabel: String(repeating: "t", count: 32),
            manufacturer: String(repeating: "m", count: 32), model: String(repeating: "o", count: 16),
            keyID: [UInt8](repeating: 1, count: 128), keyLabel: long, keyType: .max)
        #expect(longest.encoded.count <= 512)
        #expect(KeyDescription(longest.encoded) == longest)
    }

    @Test("a CKA_ID that a description cannot hold is refused, or the key would be a stranger after a restart")
    func longID() throws {
        func key(_ size: Int) -> KeyDescription {
            KeyDescription(
                tokenSerial: "1", tokenLabel: "t", manufacturer: "", model: "",
                keyID: [UInt8](repeating: 1, count: size),
                keyLabel: "k", keyType: 0x1F)
        }
        let recipient = try key(128).recipient()
        #expect(try KeyDescription(recipient.description)?.recipient() == recipient)
        let error = #expect(throws: PKCS11Error.self) { try key(129).recipient() }
        #expect(error?.code == .keyRefused && error?.message.contains("129 bytes") == true)
    }
}
