import TestSupport
import Testing

/// docs/recovery.md, walked: each of its commands is run as it stands there, with other folders and in a terminal.
@Suite("The way back of docs/recovery.md", .serialized)
struct RecoveryDrillTests {
    private static let passphrase = "correct horse battery staple"

    @Test("a token that is lost: old ciphertexts decrypt and a new key_id encrypts, in under a minute")
    func tokenLost() async throws {
        try await TestScope.with { scope in
            let place = try await RecoveryPlace.make(scope)
            try await place.run(
                "Before it is needed", block: 0,
                answers: [
                    ("passphrase for the private key: ", RecoveryDrillTests.passphrase),
                    ("the same again: ", RecoveryDrillTests.passphrase),
                ])
            #expect(try Files.mode(scope.path("media/trousseau-recovery.key")) == 0o600)
            let made = try await place.run("Before it is needed", block: 1)
            #expect(made.contains("recovery  unverified"), "\(made)")
            let keyID = try #require(RecoveryPlace.keyID(in: made))

            var plugin = try await place.serve()
            let seeds = (0..<8).map { "seed \($0) of 32 bytes, more or less" }
            var sealed: [String] = []
            for (index, seed) in seeds.enumerated() {
                sealed.append(try await place.encrypt(seed, api: index % 2 == 0 ? "v2" : "v1"))
            }
            try await place.stop(plugin)

            // The HSM is destroyed; its successor has another key under the same names.
            try Files.remove(scope.path("hsm"))
            try await place.makeToken()

            let start = ContinuousClock.now
            try await place.run("Only the offline key is left", block: 0)
            let recovered = try await place.run(
                "Only the offline key is left", block: 1,
                answers: [("printed it: ", keyID), ("trousseau-recovery.key: ", RecoveryDrillTests.passphrase)])
            #expect(recovered.contains("recovered  offline key"), "\(recovered)")
            let newKeyID = try #require(RecoveryPlace.keyID(in: recovered))
            plugin = try await place.serve()
            for (seed, ciphertext) in zip(seeds, sealed) { #expect(try await place.decrypt(ciphertext) == seed) }
            let fresh = try await place.encrypt(seeds[0], api: "v2")
            #expect(ContinuousClock.now - start < .seconds(60))

            #expect(newKeyID.hasPrefix("prod/2/") && keyID.hasPrefix("prod/1/"))
            #expect(try JSON(parsing: fresh)["keyID"].string == newKeyID)
            #expect(try JSON(parsing: sealed[0])["keyID"].string == keyID)
            #expect(try await place.decrypt(fresh) == seeds[0])
            let status = try await place.run("Only the offline key is left", block: 2)
            #expect(status.contains("keyID: \(newKeyID)") && status.contains("decrypts only"), "\(status)")
            try await place.stop(plugin)

            // The new keyring needs no offline key: it opens by the new HSM.
            try Files.remove(scope.path("media/trousseau-recovery.key"))
            plugin = try await place.serve()
            #expect(try await place.decrypt(sealed[0]) == seeds[0])
            try await place.stop(plugin)
            #expect(!scope.allOutput.contains(RecoveryDrillTests.passphrase))
            #expect(!(made + recovered + status).contains(RecoveryDrillTests.passphrase))
        }
    }

    @Test("without this program, openssl opens a seal to the KEK of its record")
    func withoutTheProgram() async throws {
        try await TestScope.with { scope in
            let place = try await RecoveryPlace.make(scope)
            let answers = Array(
                repeating: (": ", RecoveryDrillTests.passphrase), count: 2)
            try await place.run("Before it is needed", block: 0, answers: answers)
            try await place.run("Before it is needed", block: 1)
            try await place.run("Only the offline key is left", block: 0)
            let record = try #require(
                try Files.list(scope.path("lib/keyring.lost")).first { $0.hasSuffix(".record") })
            try await place.run(
                "Without this program", block: 0,
                answers: [("trousseau-recovery.key:", RecoveryDrillTests.passphrase)],
                replacing: ["1-example.record": record])
            let content = try Files.read(scope.path("media/kek"))
            #expect(content.count == 64)

            // The KEK's name comes from the KEK: KBKDF in counter mode, as docs/formats.md has it.
            try Files.write(content.prefix(32), to: scope.path("key"))
            let key = content.prefix(32).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            let derived = try await ChildProcess.run(
                "openssl",
                [
                    "kdf", "-keylen", "32", "-kdfopt", "mac:HMAC", "-kdfopt", "digest:SHA256", "-kdfopt",
                    "mode:COUNTER",
                    "-kdfopt", "hexkey:\(key)", "-kdfopt", "salt:id", "KBKDF",
                ])
            let kekID = derived.output.filter { $0 != ":" && $0 != "\n" }.lowercased()
            #expect(kekID.count == 64)
            let text = try Files.readText(scope.path("lib/keyring.lost/\(record)"))
            #expect(text.contains("kekID:      \(kekID)"), "\(derived.text) in \(text)")
        }
    }

    @Test("a wrong passphrase, a wrong key_id and an existing keyring are refused, and change nothing")
    func refusals() async throws {
        try await TestScope.with { scope in
            let place = try await RecoveryPlace.make(scope)
            let answers = Array(repeating: (": ", RecoveryDrillTests.passphrase), count: 2)
            try await place.run("Before it is needed", block: 0, answers: answers)
            let keyID = try #require(RecoveryPlace.keyID(in: try await place.run("Before it is needed", block: 1)))
            let before = try Snapshot(of: scope.path("lib/keyring"))
            try Files.write(RecoveryDrillTests.passphrase + "\n", to: scope.path("passphrase"))
            try Files.write("correct horse battery stable\n", to: scope.path("wrong"))
            func recover(_ arguments: [String]) async throws -> ChildProcess.Result {
                try await place.program(
                    [
                        "recover", "--config", scope.path("etc/config.yaml"), "--from", scope.path("lib/keyring"),
                        "--key", scope.path("media/trousseau-recovery.key"),
                    ] + arguments)
            }
            let existing = try await recover(["--key-id", keyID, "--passphrase-file", scope.path("passphrase")])
            #expect(existing.exit == .code(4) && existing.errors.contains("there is a keyring already"))
            let wrong = try await recover(["--key-id", keyID, "--passphrase-file", scope.path("wrong")])
            #expect(wrong.exit == .code(1) && wrong.errors.contains("the passphrase is wrong"), "\(wrong.text)")
            let other = try await recover(
                ["--key-id", "prod/1/aaaaaaaaaaaaaaaa/aaaaaaaa", "--passphrase-file", scope.path("passphrase")])
            #expect(other.exit == .code(4) && other.errors.contains("no record is that of key_id"), "\(other.text)")
            let text = try await recover(["--key-id", "prod", "--passphrase-file", scope.path("passphrase")])
            #expect(text.exit == .code(2))
            #expect(try before.changes == [])

            // A new key never replaces one.
            let again = try await place.program([
                "recovery-key", "new", "--out-key", scope.path("media/trousseau-recovery.key"), "--out-certificate",
                scope.path("media/other.pem"), "--passphrase-file", scope.path("passphrase"),
            ])
            #expect(again.exit == .code(1) && again.errors.contains("exists already"))
            #expect(!Files.exists(scope.path("media/other.pem")))
        }
    }
}
