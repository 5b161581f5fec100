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
        /// Without forgetting them.
        var unsealsSoFar: Int { proxy.commands.count { $0 == CommandCode.unseal } }

        var guardFile: String {
            (try? Files.list(node.state))?.first { $0.hasSuffix(".pin-guard") }.map { node.state + "/" + $0 } ?? node
                .state + "/none"
        }

        /// Another program shows the TPM a wrong PIN.
        func wrongGuess() async throws {
            let pem = node.state + "/guess.pem"
            try Files.write(seal.bytes, to: pem)
            try await node.tpm.tool("tpm2_load", "-Q", "-r", pem, "-c", pem + ".ctx")
            let guess = try await node.tpm.attempt(
                "tpm2_unseal", ["-c", pem + ".ctx", "-p", "str:x", "-o", pem + ".bin"])
            #expect(!guess.succeeded)
            // What the tools leave loaded would fill a TPM without a resource manager.
            try await node.tpm.tool("tpm2_flushcontext", "-t")
        }
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

    @Test("the answer to a wrong PIN is lost: it went out once, and does not again, by this process or the next")
    func lostRefusal() async throws {
        try await with { scene in
            try Files.write("wrong pin 1\n", to: scene.pinFile)
            // The TPM refuses, and the process does not hear it; nor does it when it looks again.
            scene.proxy.inject(.loseAnswer, into: CommandCode.unseal)
            let first = try scene.backend()
            for _ in 0..<2 {
                let error = await scene.error(first)
                #expect((error?.cause as? TPMError)?.code == .pinBlocked, "\(error.debugDescription)")
                #expect(error?.message.contains("the answer was lost") == true, "\(error.debugDescription)")
                #expect(error?.message.contains("counts 1 wrong guesses now, and counted 0 then") == true)
                #expect(error?.hint?.contains("then touch that file") == true)
            }
            #expect(scene.unseals == 1)
            let findings = await first.diagnose(until: patience)
            #expect(findings.contains { $0.severity == .warning && $0.detail.contains("answer was lost") })
            await first.shutdown(until: patience)

            let second = try scene.backend()
            #expect((await scene.error(second)?.cause as? TPMError)?.code == .pinBlocked)
            #expect(scene.unseals == 0)
            try Files.write("right pin 1\n", to: scene.pinFile)
            #expect(await scene.error(second) == nil)
            #expect(scene.unseals == 1 && !Files.exists(scene.guardFile))
            await second.shutdown(until: patience)
            #expect(
                try await scene.node.tpm.tool("tpm2_getcap", "properties-variable").contains("LOCKOUT_COUNTER: 0x1"))
        }
    }

    @Test("a process that ends before the TPM's answer leaves a guard, which the next one finds")
    func killed() async throws {
        try await with { scene in
            try Files.write("wrong pin 1\n", to: scene.pinFile)
            scene.proxy.inject(.hang, into: CommandCode.unseal)
            let first = try scene.backend()
            let opening = Task { await scene.error(first) }
            try await eventually("the PIN is on its way", within: .seconds(60)) { scene.unsealsSoFar == 1 }
            // What a process that was killed here would have left behind.
            let left = try Files.readText(scene.guardFile)
            #expect(left.contains("\nunanswered boot "), "\(left)")
            scene.proxy.inject(.answer(0x98E), into: CommandCode.unseal)
            scene.proxy.release()
            #expect(await opening.value != nil)
            await first.shutdown(until: patience)
            _ = scene.proxy.takeCommands()
            scene.proxy.injectNothing()

            // Meanwhile the TPM has seen a wrong guess.
            try Files.write(left, to: scene.guardFile)
            try await scene.wrongGuess()
            let second = try scene.backend()
            #expect((await scene.error(second)?.cause as? TPMError)?.code == .pinBlocked)
            #expect(scene.unseals == 0)
            await second.shutdown(until: patience)
        }
    }

    @Test(
        "the answer to the right PIN is lost: the TPM counts no wrong guess, so it is sent again, by the next process too"
    )
    func lostSuccess() async throws {
        try await with { scene in
            scene.proxy.inject(.loseAnswer, into: CommandCode.unseal)
            let first = try scene.backend()
            #expect(await scene.error(first) == nil)
            #expect(scene.unseals == 2 && !Files.exists(scene.guardFile))
            scene.proxy.inject(.loseAnswer, into: CommandCode.unseal, times: 2)
            #expect(await scene.error(first)?.errorClass == .reopen)
            #expect(try Files.readText(scene.guardFile).contains("unanswered"))
            await first.shutdown(until: patience)
            let second = try scene.backend()
            #expect(await scene.error(second) == nil)
            #expect(!Files.exists(scene.guardFile))
            await second.shutdown(until: patience)
        }
    }

    @Test("when the TPM cannot tell what became of a PIN, its file has to be touched")
    func cannotTell() async throws {
        try await with { scene in
            try await scene.wrongGuess()
            scene.proxy.inject(.loseAnswer, into: CommandCode.unseal, times: 2)
            let backend = try scene.backend()
            // It counted one before, and counts one now: that says nothing.
            for _ in 0..<2 {
                #expect((await scene.error(backend)?.cause as? TPMError)?.code == .pinBlocked)
            }
            #expect(scene.unseals == 1)
            scene.proxy.injectNothing()
            try Files.write("right pin 1\n", to: scene.pinFile)
            #expect(await scene.error(backend) == nil)
            await backend.shutdown(until: patience)
        }
    }

    @Test("a failure before the PIN went out leaves no guard")
    func before() async throws {
        try await with { scene in
            scene.proxy.inject(.answer(0x902), into: CommandCode.unseal, times: .max)
            let backend = try scene.backend()
            #expect(await scene.error(backend)?.errorClass == .retry)
            #expect(!Files.exists(scene.guardFile))
            scene.proxy.injectNothing()
            #expect(await scene.error(backend) == nil)
            await backend.shutdown(until: patience)
        }
    }

    @Test("a guard that another process holds is waited for until the call's deadline, and no longer")
    func held() async throws {
        try await with { scene in
            let backend = try scene.backend()
            let key = try #require(try backend.enrolment.pinned())
            let file = PINGuardFile(directory: scene.node.state, kind: "tpm", device: "tpm", identity: key.name)
            let lock = try file.lock(until: .now)
            let start = ContinuousClock.now
            do throws(SealingError) {
                _ = try await backend.unseal(scene.seal, until: start + .milliseconds(700))
                Issue.record("it opened")
            } catch {
                #expect(error.errorClass == .retry, "\(error)")
            }
            #expect(ContinuousClock.now - start >= .milliseconds(600))
            // The thread is free again: what needs no PIN goes on.
            try await backend.probe(until: patience)
            #expect(scene.unseals == 1)
            lock.release()
            #expect(await scene.error(backend) == nil)
            await backend.shutdown(until: patience)
        }
    }

    @Test("what is remembered of a PIN that went out excludes a refusal only while nothing else can explain the count")
    func circumstances() {
        let then = PINCircumstances(boot: "b", seconds: 100, guesses: 0)
        func now(boot: String = "b", _ seconds: UInt64, guesses: UInt32 = 0) -> PINCircumstances {
            PINCircumstances(boot: boot, seconds: seconds, guesses: guesses)
        }
        #expect(then.excludeRefusal(now(100), interval: 1000) && then.excludeRefusal(now(1098), interval: 1000))
        #expect(!then.excludeRefusal(now(1099), interval: 1000))
        #expect(!then.excludeRefusal(now(100), interval: 0))
        #expect(!then.excludeRefusal(now(99), interval: 1000))
        #expect(!then.excludeRefusal(now(100, guesses: 1), interval: 1000))
        #expect(!then.excludeRefusal(now(boot: "c", 100), interval: 1000))
        #expect(!now(100, guesses: 1).excludeRefusal(now(100, guesses: 1), interval: 1000))
        #expect(!now(boot: "", 100).excludeRefusal(now(boot: "", 100), interval: 1000))
        for one in [then, now(boot: "", 0, guesses: 7)] { #expect(PINCircumstances(text: one.text) == one) }
        for text in ["", "boot b second 1 guesses", "boot b second 01 guesses 0", "boot b second 1 guesses 0 "] {
            #expect(PINCircumstances(text: text) == nil, "\(text)")
        }
    }

    @Test("after seals and unseals, right ones and wrong ones, no PIN is in ordinary memory", arguments: [false, true])
    func residue(_ hasPolicy: Bool) async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let pinFile = scope.path("pin")
            let (right, wrong) = (UInt8(0x83), UInt8(0x85))
            // By another process: in this one nobody else may have the bytes.
            func write(_ first: UInt8) async throws {
                let digits = (0..<32).map { "\\" + String(first + 3 * UInt8($0), radix: 8) }.joined()
                let result = try await ChildProcess.run(
                    "/bin/sh", ["-c", "printf '\(digits)' >\(pinFile) && chmod 600 \(pinFile)"], within: .seconds(20))
                guard result.succeeded else { throw TestError(result.text) }
            }
            try await write(right)
            let backend = try node.backend { configuration in
                configuration.pinSource = pinFile
                if hasPolicy {
                    configuration.policy = (try? LiteralPolicy(pcrs: ["15"])).map { .literal($0) } ?? .none
                }
            }
            if hasPolicy {
                try await node.tpm.tool("tpm2_pcrextend", "15:sha256=" + String(repeating: "ab", count: 32))
            }
            _ = try await backend.recipients(generateMissingKey: true, until: patience)
            let local = try #require(try await backend.localRecipients(until: patience).first)
            let kek = try KEK.generate()
            let seal = try await backend.seal(kek, to: local, until: patience)
            #expect(try Residue.count(Residue.Needle(pin: right)) == 0, "after sealing")
            #expect(try await backend.unseal(seal, until: patience).id == kek.id)
            #expect(try Residue.count(Residue.Needle(pin: right)) == 0, "after unsealing")
            try await write(wrong)
            await #expect(throws: SealingError.self) { try await backend.unseal(seal, until: patience) }
            #expect(try Residue.count(Residue.Needle(pin: wrong)) == 0, "after a refusal")
            await backend.shutdown(until: patience)
            for kind in ["handles-transient", "handles-loaded-session", "handles-saved-session"] {
                #expect(try await node.tpm.tool("tpm2_getcap", kind) == "", "\(kind)")
            }
        }
    }
}
