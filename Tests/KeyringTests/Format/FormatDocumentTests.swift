import Crypto
import TestSupport
import Testing

@testable import Keyring

/// The worked example of docs/formats.md, against the code.
@Suite("docs/formats.md")
struct FormatDocumentTests {
    private let vector: DocumentVector
    private let keyring: KeyringIdentity
    private let kek: KEK
    private let earlier: KEK

    init() throws {
        vector = try DocumentVector()
        keyring = try KeyringIdentity(keyringID: vector.bytes("keyringID"), name: "prod")
        kek = try Sample.kek(vector.bytes("KEK"))
        earlier = try Sample.kek(vector.bytes("earlier KEK"))
    }

    private func record() throws -> Record {
        let seal = Seal(
            recipient: Recipient(
                id: try vector.text("recipientID"), kind: "pkcs11", description: try vector.bytes("description")),
            kekID: kek.id, bytes: try vector.bytes("seal"))
        let removed = Sample.seal(kek, to: try vector.text("tombstone's recipientID"))
        let record = try Record.make(
            kek: kek, keyring: keyring, generation: 2, created: 1_764_000_000, voucherFloor: 1, seals: [seal, removed],
            vouchedBy: [(earlier, 1)])
        return try record.removing(removed.recipient.id, under: kek)
    }

    @Test("derives these keys", arguments: ["enc", "record", "voucher", "publication"])
    func derivedKeys(_ label: String) throws {
        let derived: [UInt8] = try vector.bytes("KEK").withUnsafeBytes { key in
            let derived = try KBKDF.derive(from: SecretBytes(copying: key), label: label, count: 32)
            return derived.withUnsafeBytes { Array($0) }
        }
        #expect(derived == (try vector.bytes("key \(label)")))
    }

    @Test("names the KEKs")
    func kekIDs() throws {
        #expect(kek.id.bytes == (try vector.bytes("kekID")))
        #expect(earlier.id.bytes == (try vector.bytes("earlier kekID")))
    }

    @Test("has the record")
    func recordBytes() throws {
        let record = try record()
        #expect(record.identity.encoded == (try vector.bytes("identity")))
        #expect(record.vouchers.map(\.mac) == [try vector.bytes("voucher MAC")])
        #expect(record.mac == (try vector.bytes("record MAC")))
        #expect(record.encoded == (try vector.bytes("record")))
        #expect(RecordFile.name(record.identity) == (try vector.text("record file")))
        let read = try Record(decoding: vector.bytes("record"))
        #expect(read == record)
        #expect(read.isAuthentic(under: kek))
    }

    @Test("has the publication and its key_id")
    func publicationBytes() throws {
        let publication = try Publication(active: record(), prepared: nil, under: kek)
        #expect(publication.mac == (try vector.bytes("publication MAC")))
        #expect(publication.encoded == (try vector.bytes("publication")))
        #expect(publication.keyID().text == (try vector.text("key_id")))
        #expect(try Publication(decoding: vector.bytes("publication")).isAuthentic(under: kek))
    }

    @Test("has the ciphertexts", arguments: KMSAPI.allCases)
    func ciphertexts(_ api: KMSAPI) throws {
        let cipher = EnvelopeCipher(kek: kek, keyring: keyring)
        let (plaintext, nonce) = (try vector.bytes("plaintext"), try vector.bytes("nonce"))
        let made = try plaintext.withUnsafeBytes {
            try cipher.encrypt($0, api: api) { (memory) throws(CryptoError) in memory.copyBytes(from: nonce) }
        }
        let ciphertext = try vector.bytes("ciphertext \(api.rawValue)")
        #expect(made == ciphertext)
        let opened = try ciphertext.withUnsafeBytes { try cipher.decrypt($0, api: api).withUnsafeBytes { Array($0) } }
        #expect(opened == plaintext)
        let associated = LengthPrefixed.concatenation(
            of: [[1], kek.id.bytes, keyring.keyringID, Array(api.rawValue.utf8)])
        #expect(associated == (try vector.bytes("AAD \(api.rawValue)")))
    }

    @Test("has the roles' MAC")
    func rolesMAC() throws {
        let roles = try Roles(active: record().identity, prepared: nil, under: kek)
        #expect(roles.mac == (try vector.bytes("roles MAC")))
    }

    @Test(
        "tells the bounds and labels of the code",
        arguments: [
            "\(Record.maximumSize) bytes", "\(Record.maximumSeals) seals", "\(Record.maximumVouchers) vouchers",
            "\(SharedSeal.maximumSealSize) bytes", "\(SharedSeal.maximumDescriptionSize) bytes",
            "\(Identity.maximumSize) bytes", "at most \(Publication.maximumSize) bytes",
            "above \(Publication.warningSize)", "at most \(KeyID.maximumSize) bytes",
            "\(Envelope.ciphertextSizes.lowerBound) to \(Envelope.ciphertextSizes.upperBound) bytes",
            "1 to \(Envelope.plaintextSizes.upperBound)", "1 to \(LocalSealFile.maximumSealSize) bytes",
            "`\(MarkerFile.name)`", "`\(RolesFile.name)`", "`\(PinsFile.name)`",
            "`\(HighestFile.name)`",
        ])
    func bounds(_ text: String) {
        #expect(vector.document.lowercased().contains(text.lowercased()), "not in docs/formats.md")
    }
}
