internal import Crypto
@testable internal import TPMBackend

/// A TPM's public area: in a recipient's description, in seals, in a TPM's answers.
struct TPMPublicTarget: FuzzTarget {
    let name = "tpm-public"

    func seeds() -> [[UInt8]] {
        [
            TPMPublic(
                nameAlgorithm: .sha256, attributes: ObjectAttributes(rawValue: 0x30472),
                key: .ecc(
                    .aesCFB(bits: 128), .p256, x: [UInt8](repeating: 7, count: 32), y: [UInt8](repeating: 8, count: 32))
            ).encoded,
            TPMPublic(
                nameAlgorithm: .sha384, attributes: ObjectAttributes(rawValue: 0x30072),
                key: .rsa(.aesCFB(bits: 256), exponent: 0, modulus: [UInt8](repeating: 0xc1, count: 256))
            ).encoded,
            TPMPublic(
                nameAlgorithm: .sha256, attributes: [.noDA], authPolicy: [UInt8](repeating: 5, count: 32),
                key: .keyedHash(unique: [UInt8](repeating: 6, count: 32))
            ).encoded,
        ]
    }

    func run(_ bytes: [UInt8]) {
        if let area = try? TPMPublic(bytes) {
            Fuzz.check(area.encoded == bytes, "accepted bytes are not the encoding")
            Fuzz.check((try? area.name) != nil, "no Name")
            _ = area.rsaKey
            if area.storageRefusal == nil {
                // A point that is not on its curve is libcrypto's to refuse.
                _ = try? ImportSeed(to: area)
            }
        }
        if let area = try? TPMPublic(sized: bytes) {
            Fuzz.check(area.encodedSized == bytes, "accepted bytes are not the encoding with a size")
        }
    }
}

/// A seal for the shared record, what describes its recipient, and what that says of a policy.
struct TPMSealTarget: FuzzTarget {
    let name = "tpm-seal"

    func seeds() -> [[UInt8]] {
        let digest = [UInt8](repeating: 5, count: 32)
        guard let selection = PCRSelection(mask: 0x880) else { return [] }
        let size = TPMWriter.bytes { $0.integer(UInt16(32)) }
        let parameters = [
            PolicyParameters.signed(selection, keyName: [0, 11] + digest).encoded,
            PolicyParameters.literal(selection, marks: [[1, 2, 3, 4], [5, 6, 7, 8]]).encoded,
        ]
        return [
            ImportSeal(
                publicArea: TPMPublic(
                    nameAlgorithm: .sha256, attributes: [.noDA], authPolicy: digest, key: .keyedHash(unique: digest)),
                duplicate: size + [UInt8](repeating: 9, count: 32 + 74), encryptedSeed: size + digest + size + digest
            ).encoded,
            RecipientDescription(.local(name: [0, 11] + digest), policyDigest: digest, policy: parameters[0]).encoded,
        ] + parameters
    }

    func run(_ bytes: [UInt8]) {
        if let seal = try? ImportSeal(bytes) {
            Fuzz.check(seal.encoded == bytes, "accepted bytes are not the encoding")
        }
        if let parameters = PolicyParameters(bytes) {
            Fuzz.check(parameters.encoded == bytes, "accepted parameters are not the encoding")
        }
        guard let description = RecipientDescription(bytes) else { return }
        Fuzz.check(description.encoded == bytes, "an accepted description is not the encoding")
        _ = try? description.recipient()
        _ = try? TPMPolicy.none.requirement(description.policy)
    }
}

/// What a signed policy's files hold, and the text of a literal one.
struct PCRPolicyTarget: FuzzTarget {
    let name = "pcr-policy"

    func seeds() -> [[UInt8]] {
        let digest = String(repeating: "5f", count: 32)
        return [
            #"{"sha1":[{}],"sha256":[{"pcrs":[11],"pkfp":"\#(digest)","pol":"\#(digest)","sig":"AAAA"}]}"#,
            #"{"sha256":[{"pcrs":[7,11],"pkfp":"\#(digest)","pol":"\#(digest)","sig":"\u0041AAA","x":[1.5e+3,null]}]}"#,
            "sha256:7+11=\(digest)",
            """
            -----BEGIN PUBLIC KEY-----
            MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEahzVdXccdC5/rDsFC9PK1mK0z+IU
            qZXeWBbQuBBYEvNO9j8WZDoR3dIpWr341C0K4Vn38t2apk80drzD5TSeXA==
            -----END PUBLIC KEY-----

            """,
        ].map { Array($0.utf8) }
    }

    func run(_ bytes: [UInt8]) {
        if let file = try? PCRSignatureFile(bytes, path: "/x") {
            Fuzz.check(file.entries.count <= PCRSignatureFile.entryLimit, "too many signatures")
            Fuzz.check(
                file.entries.allSatisfy { $0.policy.count == 32 && $0.fingerprint.count == 32 },
                "digests of other sizes")
        }
        if let key = try? SigningKey(pem: bytes, path: "/x") {
            Fuzz.check((try? TPMPublic(key.publicArea.encoded)) == key.publicArea, "a key that does not parse again")
            Fuzz.check((try? key.verified(bytes, of: [])) == .some(nil), "a signature out of nowhere")
        }
        guard let expectation = try? PCRExpectation(String(decoding: bytes, as: UTF8.self)) else { return }
        Fuzz.check((try? PCRExpectation(expectation.description)) == expectation, "a text that reads differently")
    }
}
