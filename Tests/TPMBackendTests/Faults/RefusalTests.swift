import Keyring
import TestSupport
import Testing

@testable import TPMBackend

/// What does not mend itself: the operator is told what it is.
@Suite("faults of a TPM that stay")
struct RefusalTests {
    @Test("a TPM that was cleared is told as that, by every call")
    func cleared() async throws {
        try await FaultScene.with { scene in
            try await scene.node.tpm.tool("tpm2_evictcontrol", "-C", "o", "-c", "0x81000001")
            try await expectReplaced(scene)
        }
    }

    @Test("another TPM in its place is told as that, by every call")
    func replaced() async throws {
        try await FaultScene.with { scene in
            let other = try await Node.make(scene.scope, "other")
            await (try await other.enrolled()).backend.shutdown(until: patience)
            scene.proxy.route(to: other.tpm)
            scene.proxy.inject(.disconnect)
            try await expectReplaced(scene)
        }
    }

    @Test("a TPM whose storage root key is of another type is told as that")
    func otherType() async throws {
        try await FaultScene.with { scene in
            let other = try await SoftTPM.start(scene.scope, "other")
            try await other.tool("tpm2_createprimary", "-Q", "-C", "o", "-G", "rsa2048:aes128cfb", "-c", "srk.ctx")
            try await other.tool("tpm2_evictcontrol", "-Q", "-C", "o", "-c", "srk.ctx", "0x81000001")
            try await other.tool("tpm2_flushcontext", "-t")
            scene.proxy.route(to: other)
            scene.proxy.inject(.disconnect)
            try await expectReplaced(scene)
        }
    }

    @Test("a man in the middle with a storage root key of his own is refused, whatever he shows")
    func manInTheMiddle() async throws {
        try await FaultScene.with { scene in
            let his = try await Node.make(scene.scope, "his")
            await (try await his.enrolled()).backend.shutdown(until: patience)
            // He shows the node's own key, and uses his.
            scene.proxy.route(to: his.tpm)
            scene.proxy.route([CommandCode.readPublic], to: scene.node.tpm)
            scene.proxy.inject(.disconnect)
            for call in [
                { _ = try await scene.backend.seal(scene.kek, to: scene.local.recipient, until: patience) },
                { _ = try await scene.opens(scene.local) },
                { _ = try await scene.opens(scene.shared) },
                { try await scene.backend.probe(until: patience) },
            ] as [() async throws -> Void] {
                let (code, error) = try await scene.failure(of: call)
                #expect(code == .replaced)
                #expect(error.errorClass == .permanent)
                #expect(error.message.contains("somebody answers in the TPM's name"))
                #expect(error.mayPass)
            }
            #expect(scene.log.has("error: security: "))
            #expect(scene.backend.alarms >= 4)
            // His TPM has never got a KEK: it refused before it could read a parameter.
            #expect(scene.proxy.takeCommands().contains(CommandCode.unseal) == false)
        }
    }

    @Test("a seal of another TPM, or a damaged one, is told as that")
    func foreignSeal() async throws {
        try await FaultScene.with { scene in
            let other = try await Node.make(scene.scope, "other").enrolled()
            let foreign = try await other.backend.seal(scene.kek, to: other.local, until: patience)
            await other.backend.shutdown(until: patience)
            let claimed = Seal(recipient: scene.local.recipient, kekID: scene.kek.id, bytes: foreign.bytes)
            let (code, error) = try await scene.failure { _ = try await scene.opens(claimed) }
            #expect(code == .seal)
            #expect(error.errorClass == .permanent)
            #expect(error.message.contains("0x1df"))
        }
    }

    @Test(
        "codes that nothing helps against",
        arguments: [
            (0x99D, .policy, .permanent), (0x126, .policy, .permanent), (0x921, .call, .operatorMustAct),
        ] as [(UInt32, TPMError.Code, SealingError.Class)])
    func codes(_ code: UInt32, _ expected: TPMError.Code, _ errorClass: SealingError.Class) async throws {
        try await FaultScene.with { scene in
            scene.proxy.inject(.answer(code), into: CommandCode.unseal, times: .max)
            let (found, error) = try await scene.failure { _ = try await scene.opens(scene.local) }
            #expect(found == expected)
            #expect(error.errorClass == errorClass)
            #expect(scene.proxy.takeCommands().count { $0 == CommandCode.unseal } == 1)
        }
    }

    @Test(
        "that a PIN is wrong is no answer for a seal without one: once more, then an alarm", arguments: [0x98E, 0x9A2])
    func wrongPINWithoutPIN(_ code: UInt32) async throws {
        try await FaultScene.with { scene in
            scene.proxy.inject(.answer(code), into: CommandCode.unseal)
            #expect(try await scene.opens(scene.local))
            scene.proxy.inject(.answer(code), into: CommandCode.unseal, times: .max)
            _ = scene.proxy.takeCommands()
            let (found, error) = try await scene.failure { _ = try await scene.opens(scene.local) }
            #expect(found == .interference && error.errorClass == .permanent && error.mayPass)
            #expect(scene.proxy.takeCommands().count { $0 == CommandCode.unseal } == 2)
            #expect(scene.log.has("error: security: "))
        }
    }

    @Test("a TCTI that does not exist, and a device that is not there, are configuration and device errors")
    func noDevice() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let cases: [(String, TPMError.Code, SealingError.Class)] = [
                ("nosuch:path=/x", .configuration, .operatorMustAct),
                ("device:\(scope.path("tpmrm0"))", .device, .reopen),
                ("swtpm:path=\(scope.path("nobody"))", .device, .reopen),
            ]
            for (tcti, code, errorClass) in cases {
                let backend = try node.with(tcti: tcti).backend()
                let error = await #expect(throws: SealingError.self) {
                    try await backend.recipients(generateMissingKey: true, until: patience)
                }
                #expect(error?.errorClass == errorClass, "\(tcti): \(String(describing: error))")
                #expect((error?.cause as? TPMError)?.code == code, "\(tcti)")
                let findings = await backend.diagnose(until: patience)
                #expect(findings.contains { $0.severity == .error }, "\(tcti)")
                await backend.shutdown(until: patience)
            }
        }
    }

    @Test("an empty device, or one without a TCTI's name, is refused before anything is opened")
    func emptyTCTI() async throws {
        for tcti in ["", ":", "/dev/tpmrm0", "device", "swtpm:", "device:", "device:tpm", "mssim:"] {
            var configuration = TPMConfiguration(name: "tpm", stateDirectory: "/nowhere")
            configuration.tcti = tcti
            let error = #expect(throws: TPMError.self) { try TPMBackend(configuration, log: .none) }
            #expect(error?.code == .configuration)
        }
    }

    private func expectReplaced(_ scene: FaultScene) async throws {
        for call in [
            { _ = try await scene.backend.recipients(generateMissingKey: true, until: patience) },
            { _ = try await scene.backend.seal(scene.kek, to: scene.local.recipient, until: patience) },
            { _ = try await scene.opens(scene.local) }, { _ = try await scene.opens(scene.shared) },
            { try await scene.backend.probe(until: patience) },
        ] as [() async throws -> Void] {
            let (code, error) = try await scene.failure(of: call)
            #expect(code == .replaced, "\(error)")
            #expect(error.errorClass == .permanent)
            #expect(error.message.contains("the TPM was replaced or cleared"), "\(error)")
        }
        let findings = await scene.backend.diagnose(until: patience)
        #expect(findings.contains { $0.severity == .error && $0.detail.contains("replaced or cleared") })
    }
}
