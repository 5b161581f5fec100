import Crypto
import Synchronization
import TestSupport
import Testing

@testable import Keyring
@testable import VaultBackend

extension VaultBackendSuites {
    /// A keyring in service whose Vault key is rotated.
    @Suite("A keyring whose Vault key") struct RotatedKeyringTests {
        /// Looks after seals without the pauses.
        private static var pacing: Pacing {
            var pacing = Pacing()
            pacing.pause = { _, duration in try? await Task.sleep(for: min(duration, .milliseconds(50))) }
            pacing.refreshDelay = 0...0
            return pacing
        }

        private func service(_ path: String, _ members: [SealingChain.Member]) throws -> KeyringService {
            try KeyringService(
                directory: path, name: "prod", chain: SealingChain(members, log: .none), minimumSeals: nil, log: .none,
                pacing: RotatedKeyringTests.pacing, onChange: { _ in })
        }

        /// Runs a service while `body` does.
        private func serving(
            _ path: String, _ members: [SealingChain.Member], _ body: (KeyringService) async throws -> Void
        ) async throws {
            let service = try service(path, members)
            let task = Task { await service.run() }
            let result: Result<Void, any Error>
            do {
                result = .success(try await body(service))
            } catch {
                result = .failure(error)
            }
            task.cancel()
            await task.value
            await service.shutdown(until: soon)
            try result.get()
        }

        private func member(_ backend: any SealingBackend) -> SealingChain.Member {
            SealingChain.Member(backend, unsealOnly: false, deadline: .seconds(30))
        }

        private func stored(_ path: String) throws -> (shared: [Seal], local: [Seal]) {
            let stored = try KeyringStore.open(path, readOnly: true).load()
            return (try stored.requireActive().record.record.liveSeals, stored.localSeals.map(\.seal))
        }

        @Test("was rotated opens by its refreshed seal after the old version is gone, and reseal publishes that")
        func rotated() async throws {
            try await TestVault.with { vault in
                let path = vault.scope.path("keyring")
                let key = "\(vault.mount)/keys/\(vault.key)"
                _ = try await KeyringCreation.run(
                    directory: path, name: "prod",
                    chain: SealingChain([member(try await vault.backend())], log: .none), minimumSeals: nil,
                    generateMissingKeys: false, log: .none)
                let old = try #require(try stored(path).shared.first)
                try await vault.asRoot(.post, "\(key)/rotate", "{}")

                var ciphertext: [UInt8] = []
                var keyID = ""
                let backend = try await vault.backend()
                try await serving(path, [member(backend)]) { (service: KeyringService) async throws in
                    try await eventually("the seal is refreshed", within: .seconds(60)) {
                        try stored(path).local.count == 1
                    }
                    let plaintext: [UInt8] = [1, 2, 3]
                    ciphertext = try plaintext.withUnsafeBytes { try service.encrypt($0, api: .v2).ciphertext }
                    keyID = try service.status().keyID
                }
                let (shared, local) = try stored(path)
                #expect(shared == [old])
                #expect(local.map(\.recipient) == [old.recipient])
                #expect(try VaultSeal(#require(local.first).bytes).version == 2)
                try await vault.asRoot(.post, "\(key)/config", "{\"min_decryption_version\":2}")

                // The record's seal opens no more: the keyring does, by what this node has.
                let restarted = try await vault.backend()
                try await serving(path, [member(restarted)]) { (service: KeyringService) async throws in
                    try await eventually("it serves", within: .seconds(60)) {
                        service.report().state.phase == .serving
                    }
                    #expect(try service.status().keyID == keyID)
                    guard
                        case .plaintext(let plaintext) = try ciphertext.withUnsafeBytes({
                            try service.decrypt($0, keyID: nil, api: .v2)
                        })
                    else { throw TestError("not open") }
                    #expect(plaintext.bytes.withUnsafeBytes { Array($0) } == [1, 2, 3])
                }

                // On the files: the key that is told first is not the one that the keyring knows, until a seal has opened.
                let idle = try service(path, [member(try await vault.backend())])
                let report = try await idle.reseal(ResealOptions(), until: soon)
                #expect(report.rows.map(\.outcome) == [.renewed] && report.rows.allSatisfy(\.isVerified))
                await idle.shutdown(until: soon)
                let published = try stored(path)
                #expect(published.local.isEmpty)
                #expect(published.shared.map(\.recipient) == [old.recipient])
                #expect(try VaultSeal(#require(published.shared.first).bytes).version == 2)
            }
        }

        @Test("hides the version it is known by is the same recipient to a reseal that another backend has opened")
        func hidden() async throws {
            try await TestVault.with { vault in
                let path = vault.scope.path("keyring")
                let key = "\(vault.mount)/keys/\(vault.key)"
                // Two keys of one Vault: the first one opens the keyring.
                try await vault.asRoot(.post, "\(vault.mount)/keys/other", "{\"type\":\"aes256-gcm96\"}")
                let text = try TestVault.documentedPolicy().replacing("transit/", with: "\(vault.mount)/")
                let both =
                    text.replacing("/trousseau\"", with: "/\(vault.key)\"") + "\n"
                    + text.replacing("/trousseau\"", with: "/other\"")
                try await vault.asRoot(
                    .post, "sys/policies/acl/\(vault.policy)", "{\"policy\":\(JSONText.quote(both))}")
                func members() async throws -> [SealingChain.Member] {
                    var other = vault.configuration(.tokenFile(try await vault.tokenFile("other-token")))
                    other = VaultConfiguration(name: "first", address: vault.address, key: "other", login: other.login)
                    other.mount = vault.mount
                    other.caFile = vault.caFile
                    return [member(try vault.backend(other)), member(try await vault.backend())]
                }
                _ = try await KeyringCreation.run(
                    directory: path, name: "prod", chain: SealingChain(try await members(), log: .none),
                    minimumSeals: nil, generateMissingKeys: false, log: .none)
                let before = Set(try stored(path).shared.map(\.recipient.id))
                try await vault.asRoot(.post, "\(key)/rotate", "{}")
                let first = try service(path, try await members())
                _ = try await first.reseal(ResealOptions(), until: soon)
                await first.shutdown(until: soon)
                try await vault.asRoot(.post, "\(key)/config", "{\"min_decryption_version\":2}")

                let second = try service(path, try await members())
                let report = try await second.reseal(ResealOptions(), until: soon)
                await second.shutdown(until: soon)
                #expect(report.rows.map(\.outcome) == [.kept, .kept], "\(report.rows)")
                #expect(Set(try stored(path).shared.map(\.recipient.id)) == before)
            }
        }
    }
}
