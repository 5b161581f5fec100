import Keyring
import TestSupport
import Testing

@testable import TPMBackend

@Suite("what goes over the bus to a TPM")
struct TrafficTests {
    @Test("neither the KEK nor the PIN is in it, in any order of the bytes in which a careless program sends them")
    func secrets() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let kek = try KEK.generate()
            let pin = "a PIN of the test"
            try Files.write(pin, to: scope.path("pin"))
            try await node.tpm.tool("tpm2_pcrextend", "15:sha256=" + String(repeating: "ab", count: 32))
            let ours = try await Recording.of(node.tpm) { tcti in
                // init, a start, a reseal; then all of it with a PIN.
                let recorded = node.with(tcti: tcti)
                let (first, shared, local) = try await recorded.enrolled()
                var seals: [Seal] = []
                for recipient in [shared, local] {
                    seals.append(try await first.seal(kek, to: recipient, until: patience))
                }
                await first.shutdown(until: patience)
                let second = try recorded.backend()
                for seal in seals { #expect(try await second.unseal(seal, until: patience).id == kek.id) }
                try await second.probe(until: patience)
                _ = try await second.seal(kek, to: local, until: patience)
                await second.shutdown(until: patience)
                let third = try recorded.backend { $0.pinSource = scope.path("pin") }
                let guarded = try await third.localRecipients(until: patience)
                let seal = try await third.seal(kek, to: guarded[0], until: patience)
                #expect(try await third.unseal(seal, until: patience).id == kek.id)
                await third.shutdown(until: patience)
                // A policy besides: the answer is encrypted by the second session then.
                let fourth = try recorded.backend {
                    $0.pinSource = scope.path("pin")
                    $0.policy = (try? LiteralPolicy(pcrs: ["15"])).map { .literal($0) } ?? .none
                }
                let bound = try await fourth.localRecipients(until: patience)
                let boundSeal = try await fourth.seal(kek, to: bound[0], until: patience)
                #expect(try RecipientDescription.of(bound[0]).policyDigest.count == 32)
                #expect(try await fourth.unseal(boundSeal, until: patience).id == kek.id)
                await fourth.shutdown(until: patience)
            }
            let careless = try await Recording.of(node.tpm) { tcti in
                try Recording.sealCarelessly(kek, tcti)
            }
            let secret = kek.withUnsafeBytes { Array($0) }
            // It is all there, from the first command to the last.
            for command in [
                CommandCode.createPrimary, CommandCode.create, CommandCode.importObject, CommandCode.load,
                CommandCode.unseal,
            ] {
                #expect(ours.contains([0, 0, 1, UInt8(command & 0xFF)]), "\(command)")
            }
            // Parts of it would be as bad.
            for start in stride(from: 0, to: 32, by: 8) {
                let part = Array(secret[start..<(start + 8)])
                #expect(!ours.contains(part))
                #expect(careless.contains(part))
            }
            #expect(!ours.contains(Array(pin.utf8)))
            #expect(careless.contains(Array("careless".utf8)))
        }
    }

    @Test("a start asks the TPM for four commands, and nothing more; the rest is counted, too")
    func commands() async throws {
        try await FaultScene.with { scene in
            let start: [UInt32] = [
                CommandCode.startAuthSession, CommandCode.load, CommandCode.unseal, CommandCode.flushContext,
            ]
            let seal: [UInt32] = [CommandCode.startAuthSession, CommandCode.create]
            #expect(try await scene.opens(scene.local))
            #expect(scene.proxy.takeCommands() == start)
            #expect(try await scene.opens(scene.shared))
            #expect(
                scene.proxy.takeCommands() == [
                    CommandCode.startAuthSession, CommandCode.importObject, CommandCode.load, CommandCode.unseal,
                    CommandCode.flushContext,
                ])
            _ = try await scene.backend.seal(scene.kek, to: scene.local.recipient, until: patience)
            #expect(scene.proxy.takeCommands() == seal)
            _ = try await scene.backend.seal(scene.kek, to: scene.shared.recipient, until: patience)
            _ = try await scene.backend.localRecipients(until: patience)
            #expect(scene.backend.serves(scene.local.recipient))
            #expect(scene.backend.isAuthenticated(scene.local))
            #expect(scene.proxy.takeCommands() == [])
            _ = try await scene.backend.recipients(generateMissingKey: true, until: patience)
            #expect(scene.proxy.takeCommands() == [CommandCode.readPublic])
            try await scene.backend.probe(until: patience)
            #expect(scene.proxy.takeCommands() == seal + start)
            try await scene.backend.probe(until: patience)
            #expect(scene.proxy.takeCommands() == start)
        }
    }

    @Test("the first enrolment of an empty TPM takes eleven commands, of which six try the key out")
    func enrolment() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let proxy = try TPMProxy(scope, before: node.tpm)
            defer { proxy.stop() }
            let (backend, _, _) = try await node.with(tcti: proxy.tcti).enrolled()
            #expect(
                proxy.takeCommands() == [
                    CommandCode.readPublic, CommandCode.createPrimary, CommandCode.evictControl,
                    CommandCode.flushContext, CommandCode.readPublic, CommandCode.startAuthSession, CommandCode.create,
                    CommandCode.startAuthSession, CommandCode.load, CommandCode.unseal, CommandCode.flushContext,
                ])
            await backend.shutdown(until: patience)
        }
    }
}
