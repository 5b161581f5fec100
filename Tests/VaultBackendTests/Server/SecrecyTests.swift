import CCurl
import Crypto
import Keyring
import TestSupport
import Testing

@testable import VaultBackend

extension VaultBackendSuites {
    @Suite("what must not be told")
    struct SecrecyTests {
        /// Parts of a secret that must not be found: every window of 12 characters.
        private func leaks(_ secrets: [String], in text: String) -> [String] {
            secrets.flatMap { secret -> [String] in
                let bytes = Array(secret.utf8)
                guard bytes.count > 12 else { return [secret] }
                return (0...(bytes.count - 12)).map { String(decoding: bytes[$0..<$0 + 12], as: UTF8.self) }
            }.filter { text.contains($0) }
        }

        @Test("no token, secret ID or KEK is in a log line or an error, even if the server repeats what it was sent")
        func nothing() async throws {
            try await TestVault.with(.standIn) { vault in
                let kek = try KEK.generate()
                var told = ""
                var secrets = [kek.withUnsafeBytes { Base64.encode(Array($0)) }]
                let login = try await vault.appRole("\"token_ttl\":\"2s\"")
                secrets.append(try Files.readText(vault.scope.path("secret-id")))
                secrets.append(try Files.readText(vault.scope.path("role-id")).filter { $0 != "\n" })
                let backend = try vault.backend(vault.configuration(login))
                let seal = try await backend.seal(kek)
                let recipient = seal.recipient
                for status in [400, 403, 404, 405, 429, 500, 503] {
                    for path in ["/encrypt/", "/decrypt/", "/rewrap/", "/login", "-self", "/keys/", "sys/"] {
                        try vault.played.fault(path, "\"kind\":\"echo\",\"status\":\(status)")
                        if path == "/login" || path == "-self" { try vault.played.control("revoke") }
                        for error in [
                            await sealingError { _ = try await backend.open(seal) },
                            await sealingError { _ = try await backend.seal(kek, to: recipient, until: soon) },
                            await sealingError { try await backend.probe(until: soon) },
                            await sealingError { _ = try await backend.refreshed(seal, until: soon) },
                        ] {
                            guard let error else { continue }
                            told += "\(error)\n\(String(reflecting: error))\n"
                            dump(error, to: &told)
                        }
                        for finding in await backend.diagnose(until: soon) { told += "\(finding)\n" }
                        try vault.played.mend()
                        // The credentials themselves were right: let the next round log in.
                        try Files.write(
                            try Files.read(vault.scope.path("secret-id")), to: vault.scope.path("secret-id"))
                    }
                }
                try await eventually("an upkeep", within: .seconds(30)) {
                    vault.log.count("renewed") + vault.log.count("refuses") > 0
                }
                // A minute at most: so long the denials above keep it from logging in for a call's sake.
                try await eventually("it works again", within: .seconds(120)) {
                    await sealingError { _ = try await backend.open(seal) } == nil
                }
                await backend.end()
                // All that went over the wire, by the server's word.
                let seen = try vault.played.takeSeen()
                secrets += Set(seen.compactMap(\.token))
                #expect(secrets.count > 5 && seen.contains { $0.body.contains(secrets[0]) })
                #expect(told.utf8.count > 10_000 && told.contains("cannot take"))
                #expect(leaks(secrets, in: told) == [])
                #expect(leaks(secrets, in: vault.log.text) == [])
            }
        }

        @Test("a token and a file's secret show nothing of themselves")
        func descriptions() throws {
            let bytes = Array("s.0123456789abcdefghij".utf8)
            let token = VaultToken(
                try bytes.span.withUnsafeBytes { (bytes) throws(VaultError) in try SecretText.copy(bytes) })
            var text = "\(token) \(String(reflecting: token))"
            dump(token, to: &text)
            #expect(!text.contains("0123"))
        }

        @Test("libcurl uses the OpenSSL that can be told to wipe what it decrypts")
        func wiping() throws {
            let functions = try CurlLibrary.shared().functions
            #expect(functions.pointee.set_tls_options != nil)
            #expect(try CurlLibrary.shared().version.contains("OpenSSL/"))
        }
    }
}
