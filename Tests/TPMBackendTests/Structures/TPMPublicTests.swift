import Crypto
import Testing

@testable import TPMBackend

@Suite("TPM public areas")
struct TPMPublicTests {
    @Test("a P-384 key with SHA-384 and AES-256, and the Name that its TPM gives it")
    func ecc() throws {
        let key = try TPMPublic(sized: StorageKeys.p384)
        #expect(key.encodedSized == StorageKeys.p384)
        #expect(try key.name == StorageKeys.p384Name)
        #expect(key.nameAlgorithm == .sha384 && key.symmetricBits == 256 && key.authPolicy.isEmpty)
        #expect(key.attributes.contains([.fixedTPM, .fixedParent, .restricted, .decrypt, .noDA, .userWithAuth]))
        #expect(!key.attributes.contains(.sign))
        #expect(key.point?.curve == .p384 && key.point?.x.first == 0x26 && key.rsaKey == nil)
        #expect(key.storageRefusal == nil)
    }

    @Test("an RSA key whose exponent is left to the default, and the Name that its TPM gives it")
    func rsa() throws {
        let key = try TPMPublic(sized: StorageKeys.rsa)
        #expect(key.encodedSized == StorageKeys.rsa)
        #expect(try key.name == StorageKeys.rsaName)
        #expect(key.rsaKey?.bits == 2048 && key.rsaKey?.exponent == [1, 0, 1] && key.point == nil)
        #expect(key.symmetricBits == 128 && key.storageRefusal == nil)
    }

    @Test("the exponent 65537, spelt out, is another Name of the same key")
    func exponent() throws {
        var bytes = StorageKeys.rsa
        bytes.replaceSubrange(22..<26, with: [0, 1, 0, 1])
        let spelt = try TPMPublic(sized: bytes)
        let short = try TPMPublic(sized: StorageKeys.rsa)
        #expect(spelt.rsaKey == short.rsaKey)
        #expect(try spelt.name != short.name)
        #expect(spelt.encodedSized == bytes)
        for bad: UInt8 in [1, 2, 4] {
            bytes.replaceSubrange(22..<26, with: [0, 0, 0, bad])
            #expect(throws: TPMFormatError.self) { try TPMPublic(sized: bytes) }
        }
    }

    @Test("a coordinate without its leading zero keeps its spelling, and is filled up for calculations")
    func shortCoordinate() throws {
        let x = [UInt8](repeating: 7, count: 31)
        let y = [UInt8](repeating: 9, count: 32)
        let key = TPMPublic(
            nameAlgorithm: .sha256, attributes: [], key: .ecc(.aesCFB(bits: 128), .p256, x: x, y: y))
        let parsed = try TPMPublic(key.encoded)
        #expect(parsed == key && parsed.encoded == key.encoded)
        #expect(parsed.point?.x == [0] + x)
    }

    @Test("what may be no parent is said by name")
    func storage() throws {
        let good = try TPMPublic(sized: StorageKeys.p384)
        func changed(_ attributes: ObjectAttributes, key: TPMPublic.Key? = nil) -> String {
            TPMPublic(nameAlgorithm: .sha384, attributes: attributes, key: key ?? good.key).storageRefusal ?? ""
        }
        #expect(changed(good.attributes.subtracting(.fixedTPM)) == "it is not fixedTPM")
        #expect(
            changed(good.attributes.subtracting([.fixedParent, .restricted])) == "it is not fixedParent, restricted")
        #expect(changed(good.attributes.subtracting(.decrypt)) == "it is not decrypt")
        #expect(changed(good.attributes.subtracting(.userWithAuth)) == "it is not userWithAuth")
        #expect(changed(good.attributes.union(.sign)) == "it may sign")
        #expect(changed(good.attributes, key: .keyedHash(unique: [])).contains("sealed object"))
        #expect(changed(good.attributes, key: .ecc(nil, .p256, x: [1], y: [1])).contains("no cipher"))
        #expect(changed(good.attributes, key: .rsa(nil, exponent: 0, modulus: [])).contains("no cipher"))
    }

    @Test("no cut, no added and no changed byte makes it trap, and what still parses encodes to itself")
    func mutations() throws {
        let sealed = TPMPublic(
            nameAlgorithm: .sha256, attributes: [.noDA], authPolicy: [UInt8](repeating: 5, count: 32),
            key: .keyedHash(unique: [UInt8](repeating: 6, count: 32)))
        #expect(try TPMPublic(sized: sealed.encodedSized) == sealed)
        for original in [StorageKeys.p384, StorageKeys.rsa, sealed.encodedSized] {
            for count in 0..<original.count {
                #expect(throws: TPMFormatError.self) { try TPMPublic(sized: Array(original.prefix(count))) }
            }
            // Cut short, with a size that says so.
            for count in 0..<(original.count - 2) {
                #expect(throws: TPMFormatError.self) { try TPMPublic(Array(original[2...].prefix(count))) }
            }
            #expect(throws: TPMFormatError.self) { try TPMPublic(sized: original + [0]) }
            var accepted = 0
            for index in original.indices {
                for bit in 0..<8 {
                    var changed = original
                    changed[index] ^= 1 << UInt8(bit)
                    guard let parsed = try? TPMPublic(sized: changed) else { continue }
                    accepted += 1
                    #expect(parsed.encodedSized == changed)
                    #expect(try parsed.name != TPMPublic(sized: original).name)
                }
            }
            #expect(accepted > 32 * 8)
        }
    }

    @Test(
        "algorithms that are not used here are refused by name",
        arguments: [
            (4, "0004", "name algorithm"), (2, "0025", "type"), (12, "0003", "cipher"), (14, "0081", "AES-129"),
            (16, "0042", "mode 0x42"), (18, "0018", "scheme"), (20, "0005", "curve"), (22, "0020", "key derivation"),
        ])
    func unsupported(_ offset: Int, _ value: String, _ word: String) {
        var bytes = StorageKeys.p384
        bytes.replaceSubrange(offset..<(offset + 2), with: hex(value))
        #expect {
            try TPMPublic(sized: bytes)
        } throws: {
            ($0 as? TPMFormatError)?.code == .unsupported && "\($0)".contains(word)
        }
    }
}
