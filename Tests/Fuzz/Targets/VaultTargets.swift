internal import Crypto
@testable internal import VaultBackend

/// A Vault seal and its recipient's description, as a record carries them.
struct VaultSealTarget: FuzzTarget {
    let name = "vault-seal"

    func seeds() -> [[UInt8]] {
        [
            Array("vault:v12:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIj".utf8),
            KeyDescription(mount: "team/transit", key: "kek", version: 3, created: 1_795_626_823).encoded,
        ]
    }

    func run(_ bytes: [UInt8]) {
        if let seal = try? VaultSeal(bytes) {
            Fuzz.check(seal.encoded == bytes, "accepted bytes are not the encoding")
            Fuzz.check((seal.version ?? 0) > 0, "a seal without a version was accepted")
        }
        guard let description = KeyDescription(bytes) else { return }
        Fuzz.check(description.encoded == bytes, "an accepted description is not the encoding")
        _ = try? description.recipient()
    }
}

/// What a server answers.
struct VaultAnswerTarget: FuzzTarget {
    let name = "vault-answer"

    func seeds() -> [[UInt8]] {
        [
            #"{"request_id":"x","data":{"type":"aes256-gcm96","keys":{"1":1795626823,"2":1795626824},"latest_version":2,"#
                + #""min_decryption_version":1,"exportable":false},"wrap_info":null,"warnings":null,"auth":null}"#,
            #"{"auth":{"client_token":"s.AAAA","lease_duration":60,"renewable":true,"num_uses":0},"errors":["\u00e9"]}"#,
            #"{"data":{"plaintext":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","x":[1.5e3,-7,true,null,[]]}}"#,
        ].map { Array($0.utf8) }
    }

    func run(_ bytes: [UInt8]) {
        let buffer = WipedBuffer(limit: Transfer.answerLimit)
        guard bytes.span.withUnsafeBytes({ buffer.append($0) }), let document = JSONDocument(buffer) else { return }
        walk(document.root, depth: 0)
        let answer = VaultAnswer(status: 200, document: document)
        if let key = try? TransitKey(answer, "keys") {
            Fuzz.check(key.latestVersion > 0, "a key without a version")
            _ = (key.refusal, key.warnings("keys"))
        }
        _ = try? Grant(login: answer, "login")
        Fuzz.check((ServerText.errors(document) ?? "").count <= ServerText.limit + 1, "a server's words have no end")
        _ = try? answer.data?["plaintext"]?.withSecret { (text) throws(VaultError) in
            if let plain = try SecretText.decode(base64: text) {
                Fuzz.check(plain.bytes.count <= text.count / 4 * 3, "more bytes than the text has")
            }
        }
    }

    private func walk(_ value: JSONDocument.Value, depth: Int) {
        Fuzz.check(depth <= JSONScanner.maximumDepth, "nested more deeply than is allowed")
        _ = (value.text, value.integer, value.bool, value.isNull)
        for member in value.members { walk(member.value, depth: depth + 1) }
        for element in value.elements { walk(element, depth: depth + 1) }
    }
}

/// An address of the configuration, and of a redirect.
struct VaultAddressTarget: FuzzTarget {
    let name = "vault-address"

    func seeds() -> [[UInt8]] {
        ["https://vault.example:8200/v1/x", "http://[::1]:80", "https://127.0.0.1"].map { Array($0.utf8) }
    }

    func run(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        if let known = try? VaultAddress("https://vault.example:8200"), known.isOrigin(of: text) {
            Fuzz.check(text.lowercased().hasPrefix("https://vault.example:8200/"), "a stranger's URL is taken for ours")
        }
        guard let address = try? VaultAddress(text) else { return }
        Fuzz.check((try? VaultAddress(address.url)) == address, "an accepted address reads as another one")
        Fuzz.check(address.isEncrypted || address.isLoopback, "in clear to another machine")
    }
}
