import BackendContract
import Crypto
import Keyring
import TestSupport
import Testing

@testable import TPMBackend

@Suite("seals with a policy")
struct PolicyOpeningTests {
    @Test(
        "a signed policy survives a changed PCR 11 by a new signature, without a new seal",
        arguments: [
            Signer.rsa, Signer.p256, Signer.p384,
        ])
    func signed(_ options: [String]) async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            let signer = try await Signer.make(scope, "signer", options)
            try await node.sign(signer)
            let policy = try SignedPolicy(publicKey: signer.publicPath, signatures: node.signatures)
            let backend = try node.backend(.signed(policy))
            let kek = try KEK.generate()
            var seals: [Seal] = []
            for recipient in try await backend.recipients(generateMissingKey: true, until: patience)
                + backend.localRecipients(until: patience)
            {
                seals.append(try await backend.seal(kek, to: recipient, until: patience))
            }
            #expect(seals.count == 2)
            for seal in seals { #expect(try await backend.unseal(seal, until: patience).id == kek.id) }
            #expect(await reports(backend, seals).map(\.isSatisfied) == [true, true])

            // The image was updated, its signature not: refused, whichever way, with the name of what is wrong.
            try await node.extend(11, 2)
            for seal in seals {
                let error = await refusal { _ = try await backend.unseal(seal, until: patience) }
                #expect(error?.errorClass == .permanent && (error?.cause as? TPMError)?.code == .policy)
                #expect(error?.message == "\(node.signatures): 1 signature for PCR 11, none for its present value")
                #expect(error?.hint?.contains("enter-initrd") == true)
            }
            for report in await reports(backend, seals) {
                #expect(report.isSatisfied == false && report.problem?.contains("none for its present value") == true)
                #expect(report.kind == .signed && report.bank == "sha256" && report.pcrs == [11])
            }

            try await node.sign(signer)
            for seal in seals { #expect(try await backend.unseal(seal, until: patience).id == kek.id) }

            // A power loss takes the PCRs, and the signed state with them; the boot brings it back.
            try await node.node.tpm.losePower()
            #expect(await refusal { _ = try await backend.unseal(seals[1], until: patience) }?.message != nil)
            for byte: UInt8 in [1, 2] { try await node.extend(11, byte) }
            for seal in seals { #expect(try await backend.unseal(seal, until: patience).id == kek.id) }
            await backend.shutdown(until: patience)
        }
    }

    private func reports(_ backend: TPMBackend, _ seals: [Seal]) async -> [PolicyReport] {
        await backend.policies(of: seals.map(\.recipient), until: patience)
    }

    @Test("another key, or a signature that somebody changed, does not open")
    func strangers() async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            let signer = try await Signer.make(scope, "signer", Signer.p256)
            let stranger = try await Signer.make(scope, "stranger", Signer.p256)
            try await node.sign(signer)
            let key = scope.path("key.pem")
            try Files.write(Files.read(signer.publicPath), to: key)
            let backend = try node.backend(.signed(SignedPolicy(publicKey: key, signatures: node.signatures)))
            _ = try await backend.recipients(generateMissingKey: true, until: patience)
            let local = try await backend.localRecipients(until: patience)[0]
            let kek = try KEK.generate()
            let seal = try await backend.seal(kek, to: local, until: patience)
            #expect(try await backend.unseal(seal, until: patience).id == kek.id)

            try await node.sign(stranger)
            var error = await refusal { _ = try await backend.unseal(seal, until: patience) }
            #expect(error?.message.contains("no signature by the key of this policy") == true)
            // The stranger's signature under the right key's name.
            let forged = try Files.readText(node.signatures)
                .replacing(Hex.encode(try stranger.key().fingerprint), with: Hex.encode(try signer.key().fingerprint))
            try Files.write(forged, to: node.signatures)
            error = await refusal { _ = try await backend.unseal(seal, until: patience) }
            #expect(error?.message.contains("is not by the key that it names") == true)

            // The stranger's key in the key's place: the seal knows the Name of its own.
            try await node.sign(stranger)
            try Files.write(Files.read(stranger.publicPath), to: key)
            error = await refusal { _ = try await backend.unseal(seal, until: patience) }
            #expect(error?.message == "\(key): not the key that signs this seal's policy")
            #expect(error?.errorClass == .operatorMustAct)
            // And what a description says of the key is not what the TPM demands.
            let lying = RecipientDescription(
                .local(name: try RecipientDescription.of(local).storageKeyName),
                policyDigest: try RecipientDescription.of(local).policyDigest,
                policy: PolicyParameters.signed(
                    try PCRExpectation("11").selection, keyName: try stranger.key().name
                ).encoded)
            let other = Seal(recipient: try lying.recipient(), kekID: kek.id, bytes: seal.bytes)
            error = await refusal { _ = try await backend.unseal(other, until: patience) }
            #expect(error?.message.contains("not the one of the key that signs sha256:11") == true)

            try Files.remove(node.signatures)
            try Files.write(Files.read(signer.publicPath), to: key)
            error = await refusal { _ = try await backend.unseal(seal, until: patience) }
            #expect(error?.message == "no signatures of PCR values: \(node.signatures)")
            await backend.shutdown(until: patience)
        }
    }

    @Test("a literal policy refuses by the name of the PCR; a seal made before the update opens after it")
    func literal() async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            let next = Hex.encode(try await node.value(of: 7, extendedBy: 2))
            let policy = try LiteralPolicy(pcrs: ["sha256:7+11", "sha256:7=\(next)+11"])
            let backend = try node.backend(.literal(policy))
            let shared = try await backend.recipients(generateMissingKey: true, until: patience)
            let locals = try await backend.localRecipients(until: patience)
            #expect(shared.count == 1 && locals.count == 2 && Set(locals).count == 2)
            let kek = try KEK.generate()
            let now = try await backend.seal(kek, to: locals[0], until: patience)
            let later = try await backend.seal(kek, to: locals[1], until: patience)
            let record = try await backend.seal(kek, to: shared[0], until: patience)
            for seal in [now, record] { #expect(try await backend.unseal(seal, until: patience).id == kek.id) }
            let message = "PCR 7 of sha256:7+11 has another value than this seal wants"
            var error = await refusal { _ = try await backend.unseal(later, until: patience) }
            #expect(error?.message == message && error?.errorClass == .permanent)

            try await node.extend(7, 2)
            #expect(try await backend.unseal(later, until: patience).id == kek.id)
            for seal in [now, record] {
                error = await refusal { _ = try await backend.unseal(seal, until: patience) }
                #expect(error?.message == message && (error?.cause as? TPMError)?.code == .policy)
                #expect(error?.hint?.contains("trousseau reseal") == true)
            }
            let found = await backend.policies(of: locals, until: patience)
            #expect(found.map(\.isSatisfied) == [false, true])
            #expect(found.map(\.problem) == [message, nil])
            #expect(found.map(\.differing) == [[7], []])
            #expect(found.allSatisfy { $0.kind == .literal && $0.pcrs == [7, 11] && $0.isLocal })
            let late = await backend.policies(of: locals + shared, until: .now)
            #expect(late.map(\.isSatisfied) == [nil, nil, nil] && late.map(\.isLocal) == [true, true, false])
            #expect(late.allSatisfy { $0.problem?.contains("no answer in time") == true })

            // Both states are one now, and the seal opens without its policy in the configuration.
            #expect(try await backend.localRecipients(until: patience) == [locals[1]])
            await backend.shutdown(until: patience)
            let plain = try node.backend(.none)
            #expect(try await plain.unseal(later, until: patience).id == kek.id)
            await plain.shutdown(until: patience)
        }
    }

    @Test("seals for a state to come, without a word in the configuration")
    func expecting() async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            let backend = try node.backend(.literal(LiteralPolicy(pcrs: ["11"])))
            _ = try await backend.recipients(generateMissingKey: true, until: patience)
            let next = Hex.encode(try await node.value(of: 11, extendedBy: 9))
            let future = try await backend.localRecipients(expecting: ["sha256:11=\(next)"], until: patience)
            let kek = try KEK.generate()
            let seal = try await backend.seal(kek, to: try #require(future.first), until: patience)
            #expect(
                await refusal { _ = try await backend.unseal(seal, until: patience) }?.message.contains("PCR 11")
                    == true)
            try await node.extend(11, 9)
            #expect(try await backend.unseal(seal, until: patience).id == kek.id)
            for (text, why) in [
                ("sha1:7", "the bank sha1 is not used"), ("11=00", "is not 64 digits"), ("", "is no number"),
                ("11", "no value is given"), ("7=\(next)", "the policy is over sha256:11"),
                ("7+11=\(next)", "the policy is over sha256:11"),
                ("11=" + String(repeating: "0", count: 64), "nothing is measured"),
            ] {
                let error = await refusal { _ = try await backend.localRecipients(expecting: [text], until: patience) }
                #expect((error?.cause as? TPMError)?.code == .configuration, "\(text)")
                #expect(error?.message.contains(why) == true, "\(text): \(error.debugDescription)")
            }
            await backend.shutdown(until: patience)
            let plain = try node.backend(.none)
            let error = await refusal {
                _ = try await plain.localRecipients(expecting: ["sha256:11=\(next)"], until: patience)
            }
            #expect(error?.message.contains("no literal policy") == true)
            #expect(await plain.policies(of: future, until: patience).map(\.isSatisfied) == [true])
            await plain.shutdown(until: patience)
        }
    }

    @Test("a bank that is not allocated and PCRs that nothing is measured into are refused at sealing")
    func unusable() async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            for (pcrs, word) in [("7+12", "PCR 12: nothing is measured"), ("17+11", "PCR 17: nothing is measured")] {
                let backend = try node.backend(.literal(LiteralPolicy(pcrs: [pcrs])))
                let error = await refusal {
                    _ = try await backend.recipients(generateMissingKey: true, until: patience)
                }
                #expect(error?.errorClass == .operatorMustAct && error?.message.contains(word) == true)
                #expect(
                    await backend.diagnose(until: patience).contains {
                        $0.severity == .error && $0.detail.contains(word)
                    })
                await backend.shutdown(until: patience)
            }
            // Given values may be of PCRs that are empty now, but may not be empty themselves.
            let value = String(repeating: "5f", count: 32)
            let given = try node.backend(.literal(LiteralPolicy(pcrs: ["7+12=\(value)"])))
            #expect(try await given.recipients(generateMissingKey: true, until: patience).count == 1)
            await given.shutdown(until: patience)

            try await node.node.tpm.tool("tpm2_pcrallocate", "sha1:all+sha256:none")
            try await node.node.tpm.losePower()
            try await node.node.tpm.tool("tpm2_startup", "-c")
            let backend = try node.backend(.literal(LiteralPolicy(pcrs: ["7"])))
            let error = await refusal { _ = try await backend.recipients(generateMissingKey: false, until: patience) }
            #expect(error?.message == "the TPM does not keep sha256:7: the bank is not allocated")
            await backend.shutdown(until: patience)
        }
    }

    @Test("nobody on the bus chooses the values that a seal is bound to")
    func interposer() async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            let proxy = try TPMProxy(scope, before: node.node.tpm)
            defer { proxy.stop() }
            let log = LogLines()
            let policy = TPMPolicy.literal(try LiteralPolicy(pcrs: ["7+11"]))
            let backend = try node.node.with(tcti: proxy.tcti).backend(log: log.log) { configuration in
                configuration.policy = policy
                configuration.idleClose = .zero
            }
            let honest = try await backend.recipients(generateMissingKey: true, until: patience)
            proxy.inject(.alterAnswer, into: CommandCode.pcrRead, times: 5)
            let error = await refusal { _ = try await backend.localRecipients(until: patience) }
            #expect((error?.cause as? TPMError)?.code == .interference)
            #expect(log.has("security: "))
            proxy.injectNothing()
            #expect(try await backend.recipients(generateMissingKey: false, until: patience) == honest)
            await backend.shutdown(until: patience)
        }
    }

    @Test("doctor shows bank, PCRs, and whether the policy would be satisfied now")
    func diagnosis() async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            let signer = try await Signer.make(scope, "signer", Signer.p256)
            func details(_ policy: TPMPolicy) async throws -> [Finding] {
                let backend = try node.backend(policy)
                _ = try await backend.recipients(generateMissingKey: true, until: patience)
                let findings = await backend.diagnose(until: patience).filter { $0.subject == "policy" }
                await backend.shutdown(until: patience)
                return findings
            }
            #expect(try await details(.none).map(\.detail) == ["none: seals open on this TPM, whatever was booted"])
            let next = Hex.encode(try await node.value(of: 7, extendedBy: 2))
            let literal = try await details(.literal(LiteralPolicy(pcrs: ["7+11", "7=\(next)+11"])))
            #expect(literal.map(\.severity) == [.ok, .ok])
            #expect(literal[0].detail == "sha256:7+11: satisfied now")
            #expect(literal[1].detail.hasPrefix("a state that is not the present one: PCR 7 of "))
            let future = try #require(try await details(.literal(LiteralPolicy(pcrs: ["7=\(next)"]))).first)
            #expect(future.severity == .error && future.detail.hasPrefix("PCR 7 of "))

            let signed = TPMPolicy.signed(try SignedPolicy(publicKey: signer.publicPath, signatures: node.signatures))
            #expect(try await details(signed).map(\.detail) == ["no signatures of PCR values: \(node.signatures)"])
            try await node.sign(signer)
            let fine = try #require(try await details(signed).first)
            #expect(fine.severity == .ok && fine.detail.hasPrefix("sha256:11, signed by "))
            #expect(fine.detail.hasSuffix("…: satisfied now"))
        }
    }

    @Test("a policy's texts and paths are checked before anything is opened")
    func configuration() throws {
        for wrong in ["", "sha1:11", "11=00", "sha256:11=\(String(repeating: "5f", count: 32))"] {
            #expect(throws: TPMError.self) { try SignedPolicy(pcrs: wrong) }
        }
        #expect(throws: TPMError.self) { try SignedPolicy(publicKey: "key.pem") }
        #expect(throws: TPMError.self) { try SignedPolicy(signatures: "signatures.json") }
        #expect(throws: TPMError.self) { try LiteralPolicy(pcrs: []) }
        #expect(throws: TPMError.self) { try LiteralPolicy(pcrs: ["7", "x"]) }
        #expect(try SignedPolicy().selection.indices == [11])
    }

    @Test("a backend with a policy keeps the contract, with seals of both kinds", arguments: [true, false])
    func contract(_ isSigned: Bool) async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            let policy = try await node.policy(isSigned: isSigned, pcrs: "7+11")
            let other = try await Node.make(scope, "other").enrolled()
            await other.backend.shutdown(until: patience)
            for (local, foreign) in [(false, other.shared), (true, other.local)] {
                let backend = try node.node.backend { $0.policy = policy }
                let subject: any SealingBackend = local ? LocalRecipients(backend: backend) : backend
                let checks = await BackendContract.run(subject, foreign: foreign)
                #expect(checks.compactMap { check in check.violation.map { "\(check.requirement): \($0)" } } == [])
                #expect(checks.count == 15)
                await backend.shutdown(until: patience)
            }
        }
    }
}
