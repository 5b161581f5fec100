import TestSupport
import Testing

/// The sections of docs/recovery.md about one lost device, and about all of them at once: each command as it stands there.
@Suite("The ways back of docs/recovery.md", .serialized)
struct DeviceDrillTests {
    @Test("the TPM was cleared: the HSM opens, and afterwards the TPM alone does")
    func tpmCleared() async throws {
        try await drill([.tpm, .hsm], loses: "node-tpm", keeps: "rack-hsm") { place in
            try await place.tpm?.tool("tpm2_clear")
        } back: { place, plugin in
            #expect(
                try await place.program(["status", "--config", place.scope.path("etc/config.yaml")]).output
                    .contains("the TPM was replaced or cleared"))
            try await place.stop(plugin)
            try await place.run("The TPM was cleared", block: 0)
            let next = try await place.serve()
            return (next, try await place.run("The TPM was cleared", block: 1))
        } without: { place in
            try Files.move(place.scope.path("hsm/tokens"), to: place.scope.path("hsm/away"))
        }
    }

    @Test("the HSM is gone: the TPM opens, and afterwards the new HSM alone does")
    func hsmGone() async throws {
        try await drill([.hsm, .tpm], loses: "rack-hsm", keeps: "node-tpm") { place in
            try Files.remove(place.scope.path("hsm"))
        } back: { place, plugin in
            try await place.stop(plugin)
            try await place.makeToken()
            let next = try await place.serve()
            return (next, try await place.run("The HSM is gone", block: 0))
        } without: { place in
            try await place.tpm?.stop()
        }
    }

    @Test("Vault is gone: the HSM opens, and afterwards the new Vault alone does")
    func vaultGone() async throws {
        try await drill([.vault, .hsm], loses: "vault", keeps: "rack-hsm") { place in
            await place.vault?.process.destroy()
        } back: { place, plugin in
            try await place.makeVault("vault-2")
            try await place.makeToken()
            try await place.stop(plugin)
            let next = try await place.serve()
            return (next, try await place.run("Vault is gone", block: 0))
        } without: { place in
            try Files.move(place.scope.path("hsm/tokens"), to: place.scope.path("hsm/away"))
        }
    }

    @Test("HSM, TPM and Vault are lost at once: the offline key opens, and afterwards each new one is sealed to")
    func onlyTheOfflineKey() async throws {
        try await TestScope.with { scope in
            var place = try await RecoveryPlace.make(scope, [.hsm, .tpm, .vault, .recovery])
            let passphrase = "correct horse battery staple"
            try await place.run(
                "Before it is needed", block: 0, answers: Array(repeating: (": ", passphrase), count: 2))
            let keyID = try #require(
                RecoveryPlace.keyID(in: try await place.run("Before it is needed", block: 1)))
            let sealed = try await place.written()

            let start = ContinuousClock.now
            try Files.remove(scope.path("hsm"))
            try await place.tpm?.tool("tpm2_clear")
            await place.vault?.process.destroy()
            try await place.makeVault("vault-2")
            try await place.makeToken()
            try await place.run("Only the offline key is left", block: 0)
            let recovered = try await place.run(
                "Only the offline key is left", block: 1,
                answers: [("printed it: ", keyID), ("trousseau-recovery.key: ", passphrase)])
            #expect(recovered.contains("recovered  offline key"), "\(recovered)")
            let plugin = try await place.serve()
            try await place.run("Only the offline key is left", block: 2)
            try await place.expectAllDecrypt(sealed)
            #expect(ContinuousClock.now - start < DeviceDrillTests.limit)
            try await place.stop(plugin)

            // Each of the new devices has a seal of the new KEK and of the recovered one.
            let (tokens, away) = (scope.path("hsm/tokens"), scope.path("hsm/away"))
            let socket = try #require(place.tpm?.socket)
            for kept in ["rack-hsm", "node-tpm", "vault"] {
                if kept != "rack-hsm" { try Files.move(tokens, to: away) }
                if kept != "node-tpm" { try Files.move(socket, to: socket + ".away") }
                try place.vault?.control("seal", "{\"sealed\":\(kept != "vault")}")
                let alone = try await place.serve()
                #expect(try await place.opener() == kept)
                try await place.expectAllDecrypt(sealed)
                try await place.stop(alone)
                if kept != "rack-hsm" { try Files.move(away, to: tokens) }
                if kept != "node-tpm" { try Files.move(socket + ".away", to: socket) }
            }
        }
    }

    private static let limit = Duration.seconds(120)

    /// Seals, loses a device, walks the way back, and takes the others away: everything decrypts at each step. The clock
    /// runs from the loss to the last decryption by the new device.
    private func drill(
        _ backends: [RecoveryPlace.Backend], loses lost: String, keeps kept: String,
        _ lose: (RecoveryPlace) async throws -> Void,
        back: (inout RecoveryPlace, ChildProcess) async throws -> (ChildProcess, String),
        without others: (RecoveryPlace) async throws -> Void
    ) async throws {
        try await TestScope.with { scope in
            var place = try await RecoveryPlace.make(scope, backends)
            let made = try await place.run("Before it is needed", block: 1)
            let keyID = try #require(RecoveryPlace.keyID(in: made))
            let sealed = try await place.written()

            let start = ContinuousClock.now
            try await lose(place)
            var plugin = try await place.serve()
            #expect(try await place.opener() == kept)
            try await place.expectAllDecrypt(sealed)

            let text: String
            (plugin, text) = try await back(&place, plugin)
            // The table of reseal, then that of status.
            let table = try #require(text.components(before: "keyring  prod"))
            #expect(!table.contains("failed") && table.contains(lost), "\(text)")
            let rows = text.split(separator: "\n").filter { $0.contains(" \(lost) ") && $0.contains(" verified") }
            #expect(!rows.isEmpty, "\(text)")
            let newKeyID = try #require(RecoveryPlace.keyID(in: text))
            try await place.expectAllDecrypt(sealed)
            try await place.stop(plugin)

            // Nothing of the old device is needed, and nothing of the others.
            try await others(place)
            plugin = try await place.serve()
            #expect(try await place.opener() == lost)
            try await place.expectAllDecrypt(sealed)
            let fresh = try JSON(parsing: try await place.encrypt("another seed", api: "v2"))
            #expect(ContinuousClock.now - start < DeviceDrillTests.limit)
            #expect(fresh["keyID"].string == newKeyID)
            #expect(newKeyID.hasPrefix("prod/1/") && keyID.hasPrefix("prod/1/"))
            try await place.stop(plugin)
        }
    }
}

extension RecoveryPlace {
    private static let seeds = (0..<8).map { "seed \($0) of 32 bytes, more or less" }

    /// Ciphertexts of both APIs; the plugin has ended.
    fileprivate func written() async throws -> [String] {
        let plugin = try await serve()
        var sealed: [String] = []
        for (index, seed) in RecoveryPlace.seeds.enumerated() {
            sealed.append(try await encrypt(seed, api: index % 2 == 0 ? "v2" : "v1"))
        }
        try await stop(plugin)
        return sealed
    }

    fileprivate func expectAllDecrypt(_ sealed: [String]) async throws {
        for (seed, ciphertext) in zip(RecoveryPlace.seeds, sealed) {
            #expect(try await decrypt(ciphertext) == seed)
        }
    }
}

extension String {
    /// What stands before a text.
    fileprivate func components(before text: String) -> String? {
        firstRange(of: text).map { String(self[..<$0.lowerBound]) }
    }
}
