import Crypto
import Keyring
import TestSupport
import Testing

@testable import TPMBackend

@Suite("docs/formats.md, TPM")
struct FormatTests {
    private let vector: DocumentVector
    private let key: StorageKey

    init() throws {
        vector = try DocumentVector()
        key = try StorageKey(TPMPublic(vector.bytes("tpm storage root key")))
    }

    @Test("has the storage root key's Name and the file that pins it")
    func storageKey() throws {
        #expect(key.name == (try vector.bytes("tpm Name")))
        #expect(
            StorageKeyPin(directory: "/d", backend: "node-tpm").path == "/d/\(try vector.text("tpm pin file"))")
        let lines = StorageKeyPin.text(key).split(separator: "\n")
        #expect(lines.count == 4)
        for line in lines.prefix(2) { #expect(vector.document.contains("    \(line)\n")) }
    }

    @Test("has both recipients' IDs and descriptions")
    func recipients() throws {
        for (scope, prefix) in [
            (RecipientDescription.Scope.shared(key.area), "tpm shared "), (.local(name: key.name), "tpm local "),
        ] {
            let description = RecipientDescription(scope)
            #expect(description.encoded == (try vector.bytes(prefix + "description")))
            #expect(RecipientDescription(description.encoded) == description)
            let recipient = try description.recipient()
            #expect(recipient.id == (try vector.text(prefix + "recipientID")))
            #expect(try RecipientDescription.of(recipient) == description)
        }
    }

    @Test("has policies' parameters and digests, and the recipients that they make, with a PIN and without")
    func policies() throws {
        let values = try #require(
            PCRValues(try PCRExpectation("7+11").selection, [0x5f, 0x60].map { [UInt8](repeating: $0, count: 32) }))
        var literal = PolicyDigest()
        try literal.pcrs(values)
        #expect(literal.bytes == (try vector.bytes("tpm literal digest")))
        let parameters = PolicyParameters.literal(values.selection, marks: values.marks).encoded
        #expect(parameters == (try vector.bytes("tpm literal parameters")))
        try literal.authValue()
        #expect(literal.bytes == (try vector.bytes("tpm literal PIN digest")))
        let keyName: [UInt8] = [0, 11] + [UInt8](repeating: 0x77, count: 32)
        var signed = PolicyDigest()
        try signed.authorized(byKeyNamed: keyName)
        #expect(signed.bytes == (try vector.bytes("tpm signed digest")))
        let approval = PolicyParameters.signed(try PCRExpectation("11").selection, keyName: keyName).encoded
        #expect(approval == (try vector.bytes("tpm signed parameters")))
        for (description, prefix) in [
            (
                RecipientDescription(
                    .local(name: key.name), policyDigest: literal.bytes, policy: parameters, wantsPIN: true),
                "tpm literal PIN "
            ),
            (
                RecipientDescription(.local(name: key.name), policyDigest: signed.bytes, policy: approval),
                "tpm signed "
            ),
        ] {
            #expect(description.encoded == (try vector.bytes(prefix + "description")))
            #expect(RecipientDescription(description.encoded) == description)
            #expect(try description.recipient().id == vector.text(prefix + "recipientID"))
        }
    }

    @Test("a policy over more PCRs than a description has room for is refused when it is made, not when it is read")
    func tooLong() throws {
        let modulus = [UInt8](repeating: 0xc1, count: 384)
        let area = TPMPublic(
            nameAlgorithm: .sha256, attributes: StorageKey.template.attributes,
            key: .rsa(.aesCFB(bits: 128), exponent: 0, modulus: modulus))
        func recipient(_ count: Int) throws -> Recipient {
            let selection = try #require(PCRSelection(mask: (1 << UInt32(count)) - 1))
            let marks = [[UInt8]](repeating: [1, 2, 3, 4], count: count)
            return try RecipientDescription(
                .shared(area), policyDigest: [UInt8](repeating: 5, count: 32),
                policy: PolicyParameters.literal(selection, marks: marks).encoded
            ).recipient()
        }
        _ = try RecipientDescription.of(try recipient(7))
        let error = #expect(throws: TPMError.self) { try recipient(16) }
        #expect(error?.code == .configuration && error?.hint == "name fewer PCRs")
    }

    @Test("a policy or a PIN makes another local recipient, and no other shared one")
    func identities() throws {
        func id(_ scope: RecipientDescription.Scope, digest: UInt8? = nil, pin: Bool = false) throws -> String {
            let policy = digest.map { [UInt8](repeating: $0, count: 32) } ?? []
            return try RecipientDescription(scope, policyDigest: policy, policy: policy, wantsPIN: pin).recipient().id
        }
        let local = RecipientDescription.Scope.local(name: key.name)
        let ids = [
            try id(local), try id(local, pin: true), try id(local, digest: 1), try id(local, digest: 2),
            try id(local, digest: 1, pin: true), try id(.shared(key.area)),
        ]
        #expect(Set(ids).count == ids.count)
        #expect(try id(.shared(key.area), digest: 1) == id(.shared(key.area)))
    }

    @Test("no cut, changed or added byte of a description or a local seal is taken for another spelling of it")
    func malleability() throws {
        let policy = [UInt8](repeating: 5, count: 32)
        for description in [
            RecipientDescription(.shared(key.area), policyDigest: policy, policy: [1, 2, 3]),
            RecipientDescription(.local(name: key.name), policyDigest: policy, policy: [1, 2, 3], wantsPIN: true),
        ] {
            for bytes in variants(of: description.encoded) {
                guard let other = RecipientDescription(bytes) else { continue }
                #expect(other.encoded == bytes)
                #expect(other != description)
            }
        }
        let description = RecipientDescription(.local(name: key.name))
        let object = SealedObject(
            publicArea: TPMSeal.template(description, unique: [UInt8](repeating: 9, count: 32)),
            privateArea: [0, 4, 1, 2, 3, 4])
        let pem = TSS2PEM(object, emptyAuth: true)
        #expect(TSS2PEM(pem.encoded) == pem)
        for bytes in variants(of: pem.encoded) {
            guard let other = TSS2PEM(bytes) else { continue }
            #expect(other.encoded == bytes)
            #expect(other != pem)
        }
    }

    @Test("a shared recipient with a PIN is none: such a seal would open without it")
    func sharedWithPIN() throws {
        let bytes = RecipientDescription(.shared(key.area), wantsPIN: true).encoded
        #expect(RecipientDescription(bytes) == nil)
    }

    @Test("a local seal of other attributes, or for another recipient, does not get to the TPM")
    func attributes() throws {
        let plain = RecipientDescription(.local(name: key.name))
        let bound = RecipientDescription(
            .local(name: key.name), policyDigest: [UInt8](repeating: 5, count: 32), policy: [1])
        let guarded = RecipientDescription(.local(name: key.name), wantsPIN: true)
        func seal(_ area: TPMPublic, emptyAuth: Bool = true) -> [UInt8] {
            TSS2PEM(SealedObject(publicArea: area, privateArea: [0, 1, 7]), emptyAuth: emptyAuth).encoded
        }
        let unique = [UInt8](repeating: 9, count: 32)
        for description in [plain, bound, guarded] {
            let own = TPMSeal.template(description, unique: unique)
            _ = try TPMSeal(local: seal(own, emptyAuth: !description.wantsPIN), description)
            for other in [plain, bound, guarded] where other != description {
                let bytes = seal(TPMSeal.template(other, unique: unique), emptyAuth: !other.wantsPIN)
                #expect(throws: TPMError.self) { try TPMSeal(local: bytes, description) }
            }
            // One that could leave the TPM.
            let movable = TPMPublic(
                nameAlgorithm: .sha256, attributes: own.attributes.subtracting(.fixedTPM), authPolicy: own.authPolicy,
                key: own.key)
            let bytes = seal(movable, emptyAuth: !description.wantsPIN)
            #expect(throws: TPMError.self) { try TPMSeal(local: bytes, description) }
        }
    }

    private func variants(of bytes: [UInt8]) -> [[UInt8]] {
        bytes.indices.flatMap { index in
            let flipped = (0..<8).map { bit in
                var bytes = bytes
                bytes[index] ^= 1 << UInt8(bit)
                return bytes
            }
            return flipped + [Array(bytes[..<index])]
        } + [bytes + [0], bytes + [10]]
    }
}
