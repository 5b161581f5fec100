import Keyring
import TestSupport
import Testing

@testable import TPMBackend

@Suite("a PIN on a TPM's seals")
struct PINTests {
    private struct PINScene {
        let node: Node
        let proxy: TPMProxy
        let pinFile: String
        let kek: KEK
        let seal: Seal

        func backend(pinSource: Bool = true) throws -> TPMBackend {
            try node.backend { if pinSource { $0.pinSource = pinFile } }
        }

        func error(_ backend: TPMBackend) async -> SealingError? {
            do throws(SealingError) {
                _ = try await backend.unseal(seal, until: patience)
                return nil
            } catch {
                return error
            }
        }

        var unseals: Int { proxy.takeCommands().count { $0 == CommandCode.unseal } }
    }

    private func with(_ body: (PINScene) async throws -> Void) async throws {
        try await TestScope.with { scope in
            let tpm = try await SoftTPM.start(scope)
            let proxy = try TPMProxy(scope, before: tpm)
            defer { proxy.stop() }
            let node = Node(tpm, state: scope.path("state"), tcti: proxy.tcti)
            let pinFile = scope.path("pin")
            try Files.write("right pin 1\n", to: pinFile)
            let backend = try node.backend { $0.pinSource = pinFile }
            #expect(try await backend.recipients(generateMissingKey: true, until: patience) == [])
            let recipients = try await backend.localRecipients(until: patience)
            let kek = try KEK.generate()
            let seal = try await backend.seal(kek, to: recipients[0], until: patience)
            #expect(try await backend.unseal(seal, until: patience).id == kek.id)
            #expect(backend.isAuthenticated(seal))
            let errors = await backend.diagnose(until: patience).filter { $0.severity != .ok }
            #expect(errors == [])
            await backend.shutdown(until: patience)
            _ = proxy.takeCommands()
            try await body(PINScene(node: node, proxy: proxy, pinFile: pinFile, kek: kek, seal: seal))
        }
    }

    @Test("a wrong PIN is sent once: not again by this process, nor by the next, until its file changes")
    func wrongPIN() async throws {
        try await with { scene in
            try Files.write("wrong pin 1\n", to: scene.pinFile)
            let first = try scene.backend()
            for _ in 0..<3 {
                let error = await scene.error(first)
                #expect((error?.cause as? TPMError)?.code == .pinBlocked)
                #expect(error?.errorClass == .operatorMustAct)
            }
            #expect(scene.unseals == 1)
            let findings = await first.diagnose(until: patience)
            #expect(findings.contains { $0.severity == .warning && $0.detail.contains("refused") })
            await first.shutdown(until: patience)

            let second = try scene.backend()
            #expect(await scene.error(second) != nil)
            #expect(scene.unseals == 0)
            try Files.write("right pin 1\n", to: scene.pinFile)
            #expect(await scene.error(second) == nil)
            #expect(scene.unseals == 1)
            await second.shutdown(until: patience)

            let third = try scene.backend()
            #expect(await scene.error(third) == nil)
            await third.shutdown(until: patience)
            #expect(
                try await scene.node.tpm.tool("tpm2_getcap", "properties-variable").contains("LOCKOUT_COUNTER: 0x1"))
        }
    }

    @Test("a seal with a PIN opens with tpm2-tools and the PIN, and not without it")
    func byHand() async throws {
        try await with { scene in
            let pem = scene.node.state + "/kek.pem"
            try Files.write(scene.seal.bytes, to: pem)
            try await scene.node.tpm.tool("tpm2_load", "-Q", "-r", pem, "-c", pem + ".ctx")
            let without = try await scene.node.tpm.attempt("tpm2_unseal", ["-c", pem + ".ctx", "-o", pem + ".bin"])
            #expect(!without.succeeded)
            try await scene.node.tpm.tool(
                "tpm2_unseal", "-Q", "-c", pem + ".ctx", "-p", "str:right pin 1", "-o", pem + ".bin")
            #expect(scene.kek.withUnsafeBytes { Array($0) } == (try Files.read(pem + ".bin")))
        }
    }

    @Test("a file that is put back with the refused PIN does not send it again")
    func putBack() async throws {
        try await with { scene in
            let backend = try scene.backend()
            for _ in 0..<3 {
                try Files.write("wrong pin 1\n", to: scene.pinFile)
                #expect(await scene.error(backend) != nil)
            }
            #expect(scene.unseals == 1)
            await backend.shutdown(until: patience)
        }
    }

    @Test("without a PIN's source, and with a PIN file that others can read, nothing is sent")
    func unusable() async throws {
        try await with { scene in
            let without = try scene.backend(pinSource: false)
            let error = await scene.error(without)
            #expect((error?.cause as? TPMError)?.code == .pinSource)
            await without.shutdown(until: patience)
            let backend = try scene.backend()
            try Files.changeMode(scene.pinFile, to: 0o644)
            #expect((await scene.error(backend)?.cause as? TPMError)?.code == .pinSource)
            try Files.write("a PIN that is longer than 32 bytes", to: scene.pinFile)
            #expect((await scene.error(backend)?.cause as? TPMError)?.code == .pinSource)
            #expect(scene.unseals == 0)
            await backend.shutdown(until: patience)
        }
    }

    @Test("in lockout a seal without a PIN opens, one with a PIN says what to do")
    func lockout() async throws {
        try await with { scene in
            let plain = try scene.backend(pinSource: false)
            let kek = try KEK.generate()
            let recipients = try await plain.localRecipients(until: patience)
            let seal = try await plain.seal(kek, to: recipients[0], until: patience)
            await plain.shutdown(until: patience)
            // The fourth wrong PIN locks the TPM.
            try await scene.node.tpm.tool("tpm2_dictionarylockout", "-s", "-n", "1", "-t", "100000", "-l", "100000")
            try Files.write("wrong pin 2", to: scene.pinFile)
            let backend = try scene.backend()
            #expect((await scene.error(backend)?.cause as? TPMError)?.code == .pinBlocked)
            try Files.write("right pin 1", to: scene.pinFile)
            let locked = await scene.error(backend)
            #expect(locked?.message.contains("0x921") == true, "\(String(describing: locked))")
            #expect(locked?.errorClass == .operatorMustAct)
            #expect(try await backend.unseal(seal, until: patience).id == kek.id)
            try await backend.probe(until: patience)
            let findings = await backend.diagnose(until: patience)
            #expect(findings.contains { $0.subject == "lockout" && $0.severity == .warning })
            await backend.shutdown(until: patience)
        }
    }
}
