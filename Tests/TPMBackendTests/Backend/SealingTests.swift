import Keyring
import TestSupport
import Testing

@testable import TPMBackend

@Suite("sealing by a TPM")
struct SealingTests {
    @Test("a local seal opens with tpm2_load and tpm2_unseal, and nothing of ours")
    func byHand() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let (backend, _, local) = try await node.enrolled()
            let kek = try KEK.generate()
            let seal = try await backend.seal(kek, to: local, until: patience)
            #expect(backend.isAuthenticated(seal))
            await backend.shutdown(until: patience)

            try Files.write(seal.bytes, to: scope.path("kek.pem"))
            try await node.tpm.tool("tpm2_load", "-r", "kek.pem", "-c", "kek.ctx")
            try await node.tpm.tool("tpm2_unseal", "-c", "kek.ctx", "-o", "kek.bin")
            #expect(kek.withUnsafeBytes { Array($0) } == (try Files.read(scope.path("kek.bin"))))
        }
    }

    @Test("seals of both kinds survive a power loss, and a restart of ours and of the TPM")
    func restarts() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let (first, shared, local) = try await node.enrolled()
            let kek = try KEK.generate()
            let seals = [
                try await first.seal(kek, to: local, until: patience),
                try await first.seal(kek, to: shared, until: patience),
            ]
            #expect(seals.map(first.isAuthenticated) == [true, false])
            try await node.tpm.losePower()
            for seal in seals { #expect(try await first.unseal(seal, until: patience).id == kek.id) }
            await first.shutdown(until: patience)
            try await node.tpm.stop()

            let again = node.with(try await SoftTPM.start(scope))
            let second = try again.backend()
            #expect(try await second.recipients(generateMissingKey: false, until: patience) == [shared])
            #expect(try await second.localRecipients(until: patience) == [local])
            for seal in seals { #expect(try await second.unseal(seal, until: patience).id == kek.id) }
            await second.shutdown(until: patience)
        }
    }

    @Test("nothing of ours stays in the TPM, whatever the outcome was")
    func nothingStays() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let (backend, shared, local) = try await node.enrolled()
            let kek = try KEK.generate()
            for recipient in [shared, local] {
                let seal = try await backend.seal(kek, to: recipient, until: patience)
                _ = try await backend.unseal(seal, until: patience)
                var bytes = seal.bytes
                bytes[bytes.count - 60] ^= 1
                let altered = Seal(recipient: recipient, kekID: kek.id, bytes: bytes)
                await #expect(throws: SealingError.self) { try await backend.unseal(altered, until: patience) }
            }
            try await backend.probe(until: patience)
            await backend.shutdown(until: patience)
            for kind in ["handles-transient", "handles-loaded-session", "handles-saved-session"] {
                #expect(try await node.tpm.tool("tpm2_getcap", kind) == "", "\(kind)")
            }
            #expect(try await node.tpm.tool("tpm2_getcap", "handles-persistent").contains("0x81000001"))
        }
    }

    @Test("without a pin nothing is enrolled or sealed unless it is asked for")
    func notEnrolled() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let backend = try node.backend()
            for call in [
                { _ = try await backend.recipients(generateMissingKey: false, until: patience) },
                { _ = try await backend.localRecipients(until: patience) },
                { try await backend.probe(until: patience) },
            ] as [() async throws -> Void] {
                let error = await #expect(throws: SealingError.self) { try await call() }
                #expect(error?.errorClass == .operatorMustAct)
                #expect((error?.cause as? TPMError)?.code == .notEnrolled)
            }
            await backend.shutdown(until: patience)
            #expect(try await node.tpm.tool("tpm2_getcap", "handles-persistent") == "")
            #expect(try Files.list(node.state) == [])
        }
    }
}
