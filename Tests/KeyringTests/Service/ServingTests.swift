import TestSupport
import Testing

@testable import Keyring

@Suite(.timeLimit(.minutes(5))) struct ServingTests {
    @Test func initThenServe() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory + "/keyring"
            let backend = try MemoryBackend("hsm", hasKey: false)
            let chain = SealingChain([.init(backend)], log: .none)
            let created = try await KeyringCreation.run(
                directory: path, name: "prod", chain: chain, minimumSeals: nil, generateMissingKeys: true, log: .none)
            #expect(created.seals.map(\.state) == [.verified])
            #expect(created.seals.map(\.recipientID) == [backend.recipient.id])
            let unseals = backend.calls(.unseal)
            try await Rig.with(path, [.init(backend)]) { (rig: Rig) async throws in
                await rig.phases.reached(.serving)
                let status = try rig.service.status()
                #expect(status.keyID == created.keyID.text)
                let seed: [UInt8] = Array(0..<32)
                for api in KMSAPI.allCases {
                    let ciphertext = try rig.encrypt(seed, api)
                    #expect(try await rig.decrypt(ciphertext, keyID: api == .v2 ? status.keyID : nil, api) == seed)
                }
                let publication = try Publication(decoding: status.annotation)
                #expect(publication.keyID().text == status.keyID)
                await rig.clockwork.reached(.maintenance(0))
                #expect(backend.calls(.unseal) == unseals + 1)
                #expect(backend.calls(.probe) == 0)
                // One object as long as nothing changes.
                #expect(try rig.service.status() === status)
            }
            #expect(backend.isShutDown)
        }
    }
}
