import Keyring
import TestSupport
import Testing

@testable import TPMBackend

/// What mends itself: the call succeeds all the same.
@Suite("faults of a TPM that pass")
struct RecoveryTests {
    @Test(
        "a busy TPM is asked again, at most five times",
        arguments: [0x922, 0x908, 0x90A, 0x920, 0x923] as [UInt32])
    func busy(_ code: UInt32) async throws {
        try await FaultScene.with { scene in
            scene.proxy.inject(.answer(code), into: CommandCode.startAuthSession, times: 3)
            #expect(try await scene.opens(scene.local))
            scene.proxy.inject(.answer(code), into: CommandCode.load, times: .max)
            let (_, error) = try await scene.failure { _ = try await scene.opens(scene.local) }
            #expect(error.errorClass == .retry)
            #expect(error.message.contains("0x" + String(code, radix: 16)))
            // The library itself sends a command that asks for it five times.
            let loads = scene.proxy.takeCommands().count { $0 == CommandCode.load }
            #expect(loads == ([0x920, 0x923].contains(code) ? 5 : 25) + 1)
            scene.proxy.injectNothing()
            #expect(try await scene.opens(scene.local))
        }
    }

    @Test("a lost connection is made anew, and the work begins again, in every command of it")
    func disconnects() async throws {
        try await FaultScene.with { scene in
            for action in [TPMProxy.Action.disconnect, .loseAnswer] {
                for command in [CommandCode.startAuthSession, CommandCode.load, CommandCode.unseal] {
                    scene.proxy.inject(action, into: command)
                    #expect(try await scene.opens(scene.local), "\(action) \(command)")
                }
                scene.proxy.inject(action, into: CommandCode.importObject)
                #expect(try await scene.opens(scene.shared), "\(action)")
                scene.proxy.inject(action, into: CommandCode.create)
                _ = try await scene.backend.seal(scene.kek, to: scene.local.recipient, until: patience)
            }
            // Twice in one call is a failure, but no lasting one.
            scene.proxy.inject(.disconnect, into: CommandCode.unseal, times: 2)
            let (code, error) = try await scene.failure { _ = try await scene.opens(scene.local) }
            #expect(code == .device)
            #expect(error.errorClass == .reopen)
            #expect(try await scene.opens(scene.local))
        }
    }

    @Test("what lost connections leave behind in a TPM without a resource manager does not fill it for ever")
    func leftovers() async throws {
        try await FaultScene.with { (scene) async throws in
            // Each leaves an object and a session; a TPM takes three of either.
            for _ in 0..<10 {
                scene.proxy.inject(.loseAnswer, into: CommandCode.unseal)
                #expect(try await scene.opens(scene.local))
            }
        }
    }

    @Test("a TPM that lost its power is started, and the work begins again, in every command of it")
    func powerLoss() async throws {
        try await FaultScene.with { scene in
            for command in [
                CommandCode.startAuthSession, CommandCode.load, CommandCode.unseal, CommandCode.flushContext,
            ] {
                scene.proxy.inject(.losePower, into: command)
                #expect(try await scene.opens(scene.local), "\(command)")
            }
            #expect(try await scene.opens(scene.local))
            scene.proxy.inject(.losePower, into: CommandCode.create)
            _ = try await scene.backend.seal(scene.kek, to: scene.local.recipient, until: patience)
            #expect(scene.log.has("the TPM was reset"))
        }
    }

    @Test("objects and sessions that are gone are made again", arguments: [0x910, 0x918] as [UInt32])
    func stale(_ code: UInt32) async throws {
        try await FaultScene.with { (scene) async throws in
            scene.proxy.inject(.answer(code), into: CommandCode.unseal)
            #expect(try await scene.opens(scene.local))
        }
    }

    @Test("a full TPM is tried once more, and another program's fault is told", arguments: [0x902, 0x903, 0x905])
    func full(_ code: UInt32) async throws {
        try await FaultScene.with { scene in
            scene.proxy.inject(.answer(code), into: CommandCode.load)
            #expect(try await scene.opens(scene.local))
            scene.proxy.inject(.answer(code), into: CommandCode.load, times: .max)
            let (_, error) = try await scene.failure { _ = try await scene.opens(scene.local) }
            #expect(error.errorClass == .retry)
            #expect(error.hint?.contains("/dev/tpmrm0") == true)
        }
    }

    @Test(
        "an answer that was changed on the bus, or of which the proof was cut off, is not believed: an alarm is raised",
        arguments: [TPMProxy.Action.alterAnswer, .stripSessions, .cutAnswer])
    func interference(_ action: TPMProxy.Action) async throws {
        try await FaultScene.with { scene in
            scene.proxy.inject(action, into: CommandCode.unseal)
            #expect(try await scene.opens(scene.local))
            #expect(scene.log.has("error: security: "))
            #expect(scene.backend.alarms == 1)
            scene.proxy.inject(action, into: CommandCode.unseal, times: .max)
            let (code, error) = try await scene.failure { _ = try await scene.opens(scene.local) }
            #expect(code == .interference, "\(error)")
            #expect(scene.backend.alarms == 3)
            scene.proxy.injectNothing()
            #expect(try await scene.opens(scene.local))
        }
    }

    @Test("a command in which one bit changed is sent anew; one that always does is an alarm, and no end for ever")
    func changedCommand() async throws {
        try await FaultScene.with { (scene) async throws in
            for (command, seal) in [
                (CommandCode.load, scene.local), (CommandCode.importObject, scene.shared),
                (CommandCode.unseal, scene.local),
            ] {
                let before = scene.backend.alarms
                scene.proxy.inject(.alterCommand, into: command)
                #expect(try await scene.opens(seal), "\(command)")
                #expect(scene.backend.alarms == before + 1, "\(command)")
            }
            scene.proxy.inject(.alterCommand, into: CommandCode.create)
            _ = try await scene.backend.seal(scene.kek, to: scene.local.recipient, until: patience)
            scene.proxy.inject(.alterCommand, into: CommandCode.load, times: .max)
            let (code, error) = try await scene.failure { _ = try await scene.opens(scene.local) }
            #expect(code == .replaced && error.errorClass == .permanent && error.mayPass, "\(error)")
            scene.proxy.injectNothing()
            #expect(try await scene.opens(scene.local))
        }
    }

    @Test("a connection that is lost is no alarm")
    func noAlarm() async throws {
        try await FaultScene.with { (scene) async throws in
            for action in [TPMProxy.Action.disconnect, .loseAnswer, .losePower] {
                scene.proxy.inject(action, into: CommandCode.unseal)
                #expect(try await scene.opens(scene.local))
            }
            #expect(scene.backend.alarms == 0 && !scene.log.has("security: "))
        }
    }

    @Test("a call whose caller has gone gives the TPM back all the same")
    func late() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let proxy = try TPMProxy(scope, before: node.tpm)
            defer { proxy.stop() }
            let backend = try node.with(tcti: proxy.tcti).backend { $0.idleClose = .milliseconds(100) }
            _ = try await backend.recipients(generateMissingKey: true, until: patience)
            try await eventually("it is closed", within: .seconds(60)) { !backend.isDeviceOpen }
            proxy.inject(.hang, into: CommandCode.create)
            await #expect(throws: SealingError.self) { try await backend.probe(until: .now + .milliseconds(200)) }
            #expect(backend.isDeviceOpen)
            proxy.release()
            try await eventually("it is closed again", within: .seconds(60)) { !backend.isDeviceOpen }
            await backend.shutdown(until: patience)
        }
    }

    @Test("a TPM that takes half a second for each command is slow, not broken")
    func slow() async throws {
        try await FaultScene.with { scene in
            scene.proxy.inject(.delay(.milliseconds(500)), times: .max)
            #expect(try await scene.opens(scene.local))
            _ = try await scene.backend.seal(scene.kek, to: scene.local.recipient, until: patience)
        }
    }

    @Test("a command that hangs holds nobody beyond his deadline, is not repeated, and is told")
    func hang() async throws {
        try await FaultScene.with { scene in
            scene.proxy.inject(.hang, into: CommandCode.load)
            for _ in 0..<12 {
                let (code, _) = try await scene.failure {
                    _ = try await scene.backend.unseal(scene.local, until: .now + .milliseconds(100))
                }
                #expect(code == .deadline)
            }
            #expect(scene.proxy.takeCommands().count { $0 == CommandCode.load } == 1)
            try await eventually("the diagnosis tells it", within: .seconds(60)) {
                let findings = await scene.backend.diagnose(until: .now + .milliseconds(100))
                return findings.contains { $0.subject == "calls" && $0.severity == .error }
            }
            scene.proxy.release()
            try await eventually("it is well again", within: .seconds(60)) {
                (try? await scene.opens(scene.local)) == true
            }
        }
    }

    @Test("a command that never returns does not keep the plugin from ending")
    func hungShutdown() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let proxy = try TPMProxy(scope, before: node.tpm)
            defer {
                proxy.release()
                proxy.stop()
            }
            let (backend, _, _) = try await node.with(tcti: proxy.tcti).enrolled()
            proxy.inject(.hang, into: CommandCode.create)
            await #expect(throws: SealingError.self) { try await backend.probe(until: .now + .milliseconds(200)) }
            await backend.shutdown(until: .now + .milliseconds(200))
            // The command still hangs: this was reached without it.
            #expect(backend.isDeviceOpen)
            let error = await #expect(throws: SealingError.self) { try await backend.probe(until: patience) }
            #expect((error?.cause as? TPMError)?.code == .shutdown)
        }
    }

    @Test("a TPM that is away for a while is found again")
    func away() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let (backend, _, local) = try await node.enrolled()
            let kek = try KEK.generate()
            let seal = try await backend.seal(kek, to: local, until: patience)
            try await node.tpm.stop()
            for _ in 0..<3 {
                let error = await #expect(throws: SealingError.self) {
                    try await backend.unseal(seal, until: patience)
                }
                #expect(error?.errorClass == .reopen)
            }
            _ = try await SoftTPM.start(scope)
            #expect(try await backend.unseal(seal, until: patience).id == kek.id)
            await backend.shutdown(until: patience)
        }
    }
}
