internal import COpenSSL
internal import Keyring
internal import TestSupport
internal import Testing

@testable import PKCS11Backend

@Suite("docs/formats.md, PKCS#11")
struct FormatDocumentTests {
    private let vector: DocumentVector

    init() throws { vector = try DocumentVector() }

    @Test("has the recipient's ID and description")
    func recipient() throws {
        let description = KeyDescription(
            tokenSerial: String(decoding: try vector.bytes("token serial"), as: UTF8.self), tokenLabel: "trousseau",
            manufacturer: "SoftHSM project", model: "SoftHSM v2", keyID: try vector.bytes("CKA_ID"),
            keyLabel: "kek-sealer", keyType: 0x1F)
        #expect(description.encoded == (try vector.bytes("description")))
        #expect(try description.recipient().id == vector.text("recipientID"))
        #expect(KeyDescription(try vector.bytes("description")) == description)
    }

    @Test("has the seal, and libcrypto opens it")
    func seal() throws {
        let seal = try PKCS11Seal(vector.bytes("seal"))
        #expect(seal.mechanism == 0x1087)
        #expect(seal.style == PKCS11Seal.Style.callerIV.rawValue)
        #expect(seal.iv == (try vector.bytes("IV")))
        #expect(seal.encoded == (try vector.bytes("seal")))
        let kekID = try #require(KEKID(vector.bytes("kekID")))
        #expect(PKCS11Seal.context(kekID) == (try vector.bytes("context")))
        let opened = open(seal, key: try vector.bytes("sealing key"), PKCS11Seal.context(kekID))
        #expect(opened == (try vector.bytes("KEK")))
        #expect(open(seal, key: try vector.bytes("sealing key"), []) == nil)
    }

    /// AES-256-GCM by libcrypto alone.
    private func open(_ seal: PKCS11Seal, key: [UInt8], _ associated: [UInt8]) -> [UInt8]? {
        guard let context = EVP_CIPHER_CTX_new() else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        let count = seal.ciphertext.count - 16
        var tag = Array(seal.ciphertext.suffix(16))
        var output = [UInt8](repeating: 0, count: count)
        var written: CInt = 0
        guard EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nil, key, seal.iv) == 1,
            EVP_DecryptUpdate(context, nil, &written, associated, CInt(associated.count)) == 1,
            EVP_DecryptUpdate(context, &output, &written, seal.ciphertext, CInt(count)) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, &tag) == 1,
            EVP_DecryptFinal_ex(context, nil, &written) == 1
        else { return nil }
        return output
    }

    @Test("has the PIN guard's file")
    func pinGuard() throws {
        let serial = String(decoding: try vector.bytes("token serial"), as: UTF8.self)
        #expect(TokenPINGuard(directory: "/d", tokenSerial: serial).path == "/d/\(try vector.text("PIN guard file"))")
    }
}
