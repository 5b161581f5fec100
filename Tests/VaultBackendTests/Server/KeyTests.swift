import Crypto
import Keyring
import TestSupport
import Testing

@testable import VaultBackend

extension VaultBackendSuites {
    @Suite("a transit key")
    struct KeyTests {
        @Test("that is not there is not made by sealing to it, only when it is asked for")
        func missing() async throws {
            try await TestVault.with { vault in
                let backend = try await vault.backend()
                let recipient = try await backend.recipient()
                try await vault.asRoot(.post, "\(vault.mount)/keys/\(vault.key)/config", "{\"deletion_allowed\":true}")
                try await vault.asRoot(.delete, "\(vault.mount)/keys/\(vault.key)")
                // Even a token that may make keys by `encrypt` does not.
                try await vault.setPolicy("path \"transit/*\" { capabilities = [\"create\", \"read\", \"update\"] }")
                let kek = try KEK.generate()
                for _ in 0..<2 {
                    let seal = await sealingError { _ = try await backend.seal(kek, to: recipient, until: soon) }
                    let recipients = await sealingError { _ = try await backend.recipient() }
                    for error in [seal, recipients] {
                        #expect(error?.errorClass == .operatorMustAct && error?.message.contains(": 404") == true)
                        #expect(error?.hint?.contains("--generate-keys") == true)
                    }
                }
                let made = try await backend.recipient(generate: true)
                #expect(try await backend.recipient(generate: true) == made)
                let answer = try await vault.asRoot(.get, "\(vault.mount)/keys/\(vault.key)")
                #expect(answer.data?["type"]?.text == "aes256-gcm96" && answer.data?["exportable"]?.bool == false)
                #expect(answer.data?["latest_version"]?.integer == 1)
                await backend.end()
            }
        }

        @Test("that the token may not make is not made, and that is said")
        func mayNotMake() async throws {
            try await TestVault.with { vault in
                var configuration = vault.configuration(.tokenFile(try await vault.tokenFile()))
                configuration.key = "another"
                let backend = try vault.backend(configuration)
                let error = await sealingError { _ = try await backend.recipient(generate: true) }
                #expect(error?.errorClass == .operatorMustAct && error?.message.contains("403") == true)
                await backend.end()
            }
        }

        @Test(
            "is refused when it does not protect what is sealed to it",
            arguments: [
                "{\"type\":\"aes256-gcm96\",\"exportable\":true}", "{\"type\":\"rsa-2048\"}", "{\"type\":\"ed25519\"}",
                "{\"type\":\"aes256-gcm96\",\"derived\":true}",
                "{\"type\":\"aes256-gcm96\",\"allow_plaintext_backup\":true}",
            ])
        func refused(_ options: String) async throws {
            try await TestVault.with(TestVault.Options(keyOptions: options)) { vault in
                let backend = try await vault.backend()
                let error = await sealingError { _ = try await backend.recipient() }
                #expect(error?.errorClass == .operatorMustAct)
                #expect(error?.message.contains("key kek-sealer") == true, "\(error?.description ?? "none")")
                let findings = await backend.diagnose(until: soon)
                #expect(findings.contains { $0.severity == .error && $0.subject.contains("kek-sealer") })
                await backend.end()
            }
        }

        @Test("that becomes exportable gets no more seals, and shows in a probe; what it sealed still opens")
        func exportableLater() async throws {
            try await TestVault.with { vault in
                let backend = try await vault.backend()
                let kek = try KEK.generate()
                let recipient = try await backend.recipient()
                let seal = try await backend.seal(kek)
                try await backend.probe(until: soon)
                try await vault.asRoot(.post, "\(vault.mount)/keys/\(vault.key)/config", "{\"exportable\":true}")
                for call in [
                    await sealingError { _ = try await backend.seal(kek, to: recipient, until: soon) },
                    await sealingError { try await backend.probe(until: soon) },
                    await sealingError { _ = try await backend.refreshed(seal, until: soon) },
                ] {
                    #expect(call?.errorClass == .operatorMustAct && call?.message.contains("exportable") == true)
                }
                #expect(try await backend.open(seal).id == kek.id)
                await backend.end()
            }
        }

        @Test("that was deleted and made anew is another recipient")
        func madeAnew() async throws {
            try await TestVault.with { vault in
                let backend = try await vault.backend()
                let kek = try KEK.generate()
                let recipient = try await backend.recipient()
                let seal = try await backend.seal(kek)
                let path = "\(vault.mount)/keys/\(vault.key)"
                try await vault.asRoot(.post, "\(path)/config", "{\"deletion_allowed\":true}")
                let before = try await vault.asRoot(.get, path).data?["keys"]?["1"]?.integer
                // Vault counts whole seconds.
                try await eventually("a key of another second", within: .seconds(20)) {
                    try await vault.asRoot(.delete, path)
                    try await vault.asRoot(.post, path, "{}")
                    try await vault.asRoot(.post, "\(path)/config", "{\"deletion_allowed\":true}")
                    return try await vault.asRoot(.get, path).data?["keys"]?["1"]?.integer != before
                }
                // In a process that knew the old key, and in one that does not.
                for backend in [backend, try await vault.backend()] {
                    let sealing = await sealingError { _ = try await backend.seal(kek, to: recipient, until: soon) }
                    let opening = await sealingError { _ = try await backend.open(seal) }
                    #expect(sealing?.errorClass == .permanent && opening?.errorClass == .permanent)
                    #expect(sealing?.hint?.contains("made anew") == true)
                    #expect(!backend.serves(recipient))
                    let new = try await backend.recipient()
                    #expect(new.id != recipient.id && backend.serves(new))
                    try await backend.probe(until: soon)
                    await backend.end()
                }
            }
        }

        @Test("that was rotated is the same recipient; seals are refreshed under its newest version")
        func rotated() async throws {
            try await TestVault.with { vault in
                let backend = try await vault.backend()
                let kek = try KEK.generate()
                let recipient = try await backend.recipient()
                let first = try await backend.seal(kek)
                #expect(try await backend.refreshed(first, until: soon) == nil)
                let path = "\(vault.mount)/keys/\(vault.key)"
                try await vault.asRoot(.post, "\(path)/rotate", "{}")
                #expect(try await backend.recipient() == recipient)
                let second = try await backend.seal(kek)
                #expect(try VaultSeal(second.bytes).version == 2)
                let refreshed = try #require(try await backend.refreshed(first, until: soon))
                #expect(try VaultSeal(refreshed.bytes).version == 2)
                #expect(refreshed.recipient == recipient && refreshed.kekID == kek.id)
                for seal in [first, second, refreshed] { #expect(try await backend.open(seal).id == kek.id) }
                try await backend.probe(until: soon)
                if let standIn = vault.standIn {
                    let rewraps = try standIn.takeSeen().filter { $0.path.contains("/rewrap/") }
                    #expect(rewraps.count == 1 && !rewraps[0].body.contains("plaintext"))
                }

                try await vault.asRoot(.post, "\(path)/config", "{\"min_decryption_version\":2}")
                let tooOld = await sealingError { _ = try await backend.open(first) }
                #expect(tooOld?.errorClass == .permanent && tooOld?.message.contains("version 1") == true)
                #expect(tooOld?.message.contains("min_decryption_version") == true)
                #expect(
                    await sealingError { _ = try await backend.refreshed(first, until: soon) }?.errorClass == .permanent
                )
                try await backend.probe(until: soon)

                // The version that pins the key is hidden now. One that has opened a seal knows that it is the same.
                #expect(try await backend.recipient() == recipient)
                _ = try await backend.seal(kek)
                let restarted = try await vault.backend()
                #expect(restarted.serves(recipient))
                let unproven = await sealingError { _ = try await restarted.seal(kek, to: recipient, until: soon) }
                #expect(unproven?.errorClass == .operatorMustAct, "\(unproven?.description ?? "none")")
                #expect(try await restarted.open(refreshed).id == kek.id)
                #expect(try await restarted.recipient() == recipient)
                #expect(try await restarted.seal(kek).recipient == recipient)
                await backend.end()
                await restarted.end()
            }
        }

        @Test("that was made anew is not taken for the one whose seals have opened, when the pinned version is hidden")
        func anewAfterProof() async throws {
            try await TestVault.with(.standIn) { vault in
                let kek = try KEK.generate()
                let path = "\(vault.mount)/keys/\(vault.key)"
                func rotate(_ times: Int, minimum: Int) async throws {
                    for _ in 0..<times { try await vault.asRoot(.post, "\(path)/rotate", "{}") }
                    try await vault.asRoot(
                        .post, "\(path)/config", "{\"min_decryption_version\":\(minimum),\"deletion_allowed\":true}")
                }
                let first = try await vault.backend()
                let recipient = try await first.recipient()
                try await rotate(1, minimum: 1)
                let seal = try await first.seal(kek)
                try await rotate(0, minimum: 2)
                let second = try await vault.backend()
                #expect(try await second.open(seal).id == kek.id)
                for backend in [first, second] {
                    // The pin is hidden, and each look shows a version of the look before.
                    #expect(try await backend.seal(kek).recipient == recipient)
                }
                try await rotate(1, minimum: 2)
                for backend in [first, second] { _ = try await backend.recipient() }
                try await rotate(0, minimum: 3)
                for backend in [first, second] { #expect(try await backend.seal(kek).recipient == recipient) }

                try await vault.asRoot(.delete, path)
                try vault.played.control("clock", "{\"seconds\":60}")
                try await vault.asRoot(.post, path, "{}")
                try await rotate(3, minimum: 3)
                for backend in [first, second] {
                    let sealing = await sealingError { _ = try await backend.seal(kek, to: recipient, until: soon) }
                    #expect(sealing?.errorClass == .operatorMustAct, "\(sealing?.description ?? "none")")
                    #expect(await sealingError { _ = try await backend.refreshed(seal, until: soon) } != nil)
                    #expect(try await backend.recipient().id != recipient.id)
                    #expect(await sealingError { _ = try await backend.open(seal) }?.errorClass == .permanent)
                    await backend.end()
                }
            }
        }

        @Test("that was made anew is named as such to who opens a seal first")
        func anewOpening() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try await vault.backend()
                let seal = try await backend.seal(try KEK.generate())
                let path = "\(vault.mount)/keys/\(vault.key)"
                try await vault.asRoot(.post, "\(path)/config", "{\"deletion_allowed\":true}")
                try await vault.asRoot(.delete, path)
                try vault.played.control("clock", "{\"seconds\":60}")
                try await vault.asRoot(.post, path, "{}")
                let error = await sealingError { _ = try await backend.open(seal) }
                #expect(error?.errorClass == .permanent && error?.hint?.contains("made anew") == true)
                await backend.end()
            }
        }

        @Test(
            "that nobody says is safe is not taken for safe",
            arguments: [
                #""derived":false,"allow_plaintext_backup":false"#, #""exportable":false,"derived":false"#,
                #""exportable":false,"allow_plaintext_backup":false"#,
                #""exportable":"true","derived":false,"allow_plaintext_backup":false"#,
                #""exportable":null,"derived":false,"allow_plaintext_backup":false"#,
                #""exportable":true,"exportable":false,"derived":false,"allow_plaintext_backup":false"#,
            ])
        func unsaid(_ flags: String) async throws {
            let text = #"{"data":{"type":"aes256-gcm96","keys":{"1":5},"latest_version":1,\#(flags)}}"#
            let buffer = WipedBuffer(limit: 4096)
            let bytes = Array(text.utf8)
            #expect(bytes.span.withUnsafeBytes { buffer.append($0) })
            let document = try #require(JSONDocument(buffer))
            let error = #expect(throws: VaultError.self) {
                try TransitKey(VaultAnswer(status: 200, document: document), "GET x")
            }
            #expect(error?.errorClass == .operatorMustAct && error?.message.contains("does not say") == true)
        }

        @Test("whose versions change while it is used is told by the answers, not by a later look")
        func race() async throws {
            try await TestVault.with(.standIn) { vault in
                let backend = try await vault.backend()
                let kek = try KEK.generate()
                let path = "\(vault.mount)/keys/\(vault.key)"
                for _ in 0..<3 { try await vault.asRoot(.post, "\(path)/rotate", "{}") }
                let recipient = try await backend.recipient()
                let old =
                    #""kind":"status","status":200,"answer":{"data":{"ciphertext":"vault:v1:AAAA","key_version":1}}"#
                // Of a standby that has not seen the rotations: the key is still the same.
                try vault.played.fault("/encrypt/", old, count: 1)
                let behind = await sealingError { _ = try await backend.seal(kek, to: recipient, until: soon) }
                #expect(behind?.errorClass == .retry && behind?.message.contains("older version") == true)
                // Of a key that has begun anew since it was looked at.
                try vault.played.fault("/encrypt/", old, count: 1)
                try vault.played.fault(
                    "/keys/",
                    #""skip":1,"kind":"status","status":200,"answer":{"data":{"type":"aes256-gcm96","keys":{"1":5},"#
                        + #""latest_version":1,"exportable":false,"derived":false,"allow_plaintext_backup":false}}"#,
                    count: 1)
                let anew = await sealingError { _ = try await backend.seal(kek, to: recipient, until: soon) }
                #expect(anew?.errorClass == .operatorMustAct && anew?.message.contains("made anew") == true)
                try vault.played.fault(
                    "/encrypt/",
                    "\"kind\":\"status\",\"status\":200,\"answer\":{\"data\":{\"ciphertext\":\"vault:v4:AAAA\",\"key_version\":5}}",
                    count: 1)
                #expect(await sealingError { _ = try await backend.seal(kek) } != nil)
                #expect(try await backend.open(backend.seal(kek)).id == kek.id)
                await backend.end()
            }
        }

        @Test("of an old server, which ignores what it does not know, is used like any other")
        func legacy() async throws {
            try await TestVault.with(.standIn) { vault in
                try vault.played.control("legacy", "{\"legacy\":true}")
                let backend = try await vault.backend()
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                #expect(try await backend.open(seal).id == kek.id)
                // The binding does not depend on what the server knows.
                let other = try KEK.generate()
                let renamed = Seal(recipient: seal.recipient, kekID: other.id, bytes: seal.bytes)
                #expect(await sealingError { _ = try await backend.open(renamed) }?.errorClass == .permanent)
                try await vault.asRoot(.post, "\(vault.mount)/keys/\(vault.key)/rotate", "{}")
                let refreshed = try #require(try await backend.refreshed(seal, until: soon))
                try vault.played.control("legacy", "{\"legacy\":false}")
                for seal in [seal, refreshed] { #expect(try await backend.open(seal).id == kek.id) }
                await backend.end()
            }
        }

        @Test("opens its seals with Vault's own call alone")
        func byHand() async throws {
            try await TestVault.with { vault in
                let backend = try await vault.backend()
                let kek = try KEK.generate()
                let text = String(decoding: try await backend.seal(kek).bytes, as: UTF8.self)
                let answer = try await vault.asRoot(
                    .post, "\(vault.mount)/decrypt/\(vault.key)", "{\"ciphertext\":\"\(text)\"}")
                #expect(answer.data?["plaintext"]?.text == kek.withUnsafeBytes { Base64.encode(Array($0)) })
                await backend.end()
            }
        }

        @Test("whose seal holds something else than a KEK opens to nothing")
        func otherPlaintext() async throws {
            try await TestVault.with { vault in
                let backend = try await vault.backend()
                let kek = try KEK.generate()
                let seal = try await backend.seal(kek)
                for bytes in [[], Array(repeating: UInt8(1), count: 31), Array(repeating: 1, count: 33)] as [[UInt8]] {
                    let answer = try await vault.asRoot(
                        .post, "\(vault.mount)/encrypt/\(vault.key)", "{\"plaintext\":\"\(Base64.encode(bytes))\"}")
                    guard let text = answer.data?["ciphertext"]?.text else { throw TestError("no ciphertext") }
                    let other = Seal(recipient: seal.recipient, kekID: kek.id, bytes: Array(text.utf8))
                    let error = await sealingError { _ = try await backend.open(other) }
                    #expect(error?.errorClass == .permanent || bytes.isEmpty, "\(error?.description ?? "none")")
                    #expect(error != nil)
                }
                await backend.end()
            }
        }
    }
}
