import Glibc
import Keyring
import TestSupport
import Testing

@testable import TPMBackend

@Suite("the storage root key and its pin")
struct EnrolmentTests {
    @Test("the key that we make is the one of the TCG's template, which tpm2-tools make, too")
    func template() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let (backend, _, _) = try await node.enrolled()
            await backend.shutdown(until: patience)
            try await node.tpm.tool("tpm2_readpublic", "-Q", "-c", "0x81000001", "-n", "ours.name")
            try await node.tpm.tool(
                "tpm2_createprimary", "-Q", "-C", "o", "-g", "sha256", "-G", "ecc256:aes128cfb", "-c", "srk.ctx", "-a",
                "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt")
            try await node.tpm.tool("tpm2_readpublic", "-Q", "-c", "srk.ctx", "-n", "theirs.name")
            let ours = try Files.read(scope.path("ours.name"))
            #expect(ours == (try Files.read(scope.path("theirs.name"))))
            let pin = try StorageKeyPin(directory: node.state, backend: "node-tpm").read()
            #expect(pin?.name == ours)
            #expect(backend.notices == [])
        }
    }

    @Test(
        "a key that is there already is taken, whatever its type, and never made anew",
        arguments: [
            ["-G", "rsa2048:aes128cfb", "-g", "sha256"], ["-G", "ecc384:aes256cfb", "-g", "sha384"],
            ["-G", "ecc256:aes128cfb", "-g", "sha256"],
        ])
    func otherTypes(_ type: [String]) async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            _ = try await node.tpm.attempt(
                "tpm2_createprimary",
                [
                    "-Q", "-C", "o", "-c", "srk.ctx", "-a",
                    "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt",
                ] + type)
            try await node.tpm.tool("tpm2_evictcontrol", "-Q", "-C", "o", "-c", "srk.ctx", "0x81000001")
            try await node.tpm.tool("tpm2_flushcontext", "-t")
            let before = try await node.tpm.tool("tpm2_readpublic", "-c", "0x81000001")
            let log = LogLines()
            let (backend, shared, local) = try await node.enrolled(log: log.log)
            // Without noDA power losses may lock it, which has to be said: at once, by doctor, and by status.
            #expect(log.has("warning: the storage root key is not exempt"))
            let findings = await backend.diagnose(until: patience)
            #expect(findings.contains { $0.severity == .warning && $0.detail.contains("not exempt") })
            #expect(backend.notices.count == 1)
            let kek = try KEK.generate()
            for recipient in [shared, local] {
                #expect(recipient.description.count <= 512)
                let seal = try await backend.seal(kek, to: recipient, until: patience)
                #expect(try await backend.unseal(seal, until: patience).id == kek.id)
            }
            await backend.shutdown(until: patience)
            #expect(try await node.tpm.tool("tpm2_readpublic", "-c", "0x81000001") == before)
        }
    }

    @Test("a key that could leave the TPM, or that may sign, is not enrolled")
    func unsafeKey() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.tpm.tool(
                "tpm2_createprimary", "-Q", "-C", "o", "-G", "ecc256:ecdsa-sha256:null", "-c", "key.ctx", "-a",
                "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign")
            try await node.tpm.tool("tpm2_evictcontrol", "-Q", "-C", "o", "-c", "key.ctx", "0x81000001")
            try await node.tpm.tool("tpm2_flushcontext", "-t")
            let backend = try node.backend()
            let error = await #expect(throws: SealingError.self) {
                try await backend.recipients(generateMissingKey: true, until: patience)
            }
            #expect(error?.errorClass == .operatorMustAct)
            await backend.shutdown(until: patience)
            #expect(try Files.list(node.state) == [])
        }
    }

    @Test(
        "a key that nobody can use is not pinned, so that a right one may follow",
        arguments: [
            (
                [
                    "-a", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt", "-p",
                    "secret",
                ],
                "it has an authorization value"
            ),
            (["-a", "fixedtpm|fixedparent|sensitivedataorigin|noda|restricted|decrypt"], "it is not userWithAuth"),
        ])
    func unusableKey(_ arguments: [String], _ why: String) async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            _ = try await node.tpm.attempt(
                "tpm2_createprimary", ["-Q", "-C", "o", "-G", "ecc256:aes128cfb", "-c", "srk.ctx"] + arguments)
            try await node.tpm.tool("tpm2_evictcontrol", "-Q", "-C", "o", "-c", "srk.ctx", "0x81000001")
            try await node.tpm.tool("tpm2_flushcontext", "-t")
            let backend = try node.backend { $0.idleClose = .zero }
            let error = await #expect(throws: SealingError.self) {
                try await backend.recipients(generateMissingKey: true, until: patience)
            }
            #expect(
                error?.message.contains(why) == true && error?.errorClass == .operatorMustAct,
                "\(error.debugDescription)")
            #expect(error?.hint != nil)
            #expect(try Files.list(node.state) == [])
            try await eventually("the TPM is free", within: .seconds(60)) { !backend.isDeviceOpen }
            try await node.tpm.tool("tpm2_evictcontrol", "-Q", "-C", "o", "-c", "0x81000001")
            #expect(try await backend.recipients(generateMissingKey: true, until: patience).count == 1)
            await backend.shutdown(until: patience)
        }
    }

    @Test("a storage root key without noDA is locked by power losses, which doctor and the error tell")
    func lockedKey() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            try await node.tpm.tool(
                "tpm2_createprimary", "-Q", "-C", "o", "-G", "ecc256:aes128cfb", "-c", "srk.ctx", "-a",
                "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt")
            try await node.tpm.tool("tpm2_evictcontrol", "-Q", "-C", "o", "-c", "srk.ctx", "0x81000001")
            try await node.tpm.tool("tpm2_flushcontext", "-t")
            let (backend, _, local) = try await node.enrolled()
            let kek = try KEK.generate()
            let seal = try await backend.seal(kek, to: local, until: patience)
            await backend.shutdown(until: patience)
            try await node.tpm.tool("tpm2_dictionarylockout", "-s", "-n", "1", "-t", "100000", "-l", "100000")
            let second = try node.backend { $0.idleClose = .zero }
            #expect(try await second.unseal(seal, until: patience).id == kek.id)
            try await eventually("the TPM is free", within: .seconds(60)) { !second.isDeviceOpen }
            try await node.tpm.losePower()
            let error = await #expect(throws: SealingError.self) { try await second.unseal(seal, until: patience) }
            #expect(error?.message.contains("0x921") == true, "\(error.debugDescription)")
            #expect(error?.hint?.contains("no seal opens until then") == true)
            let findings = await second.diagnose(until: patience)
            #expect(findings.contains { $0.subject == "lockout" && $0.detail.contains("no seal opens") })
            await second.shutdown(until: patience)
        }
    }

    @Test("with an authorization value on the owner hierarchy everything goes on but making a storage root key")
    func ownerAuth() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let (first, shared, local) = try await node.enrolled()
            let kek = try KEK.generate()
            let seals = try await EnrolmentTests.seals(kek, [shared, local], by: first)
            await first.shutdown(until: patience)
            try await node.tpm.tool("tpm2_changeauth", "-c", "owner", "owner's")
            let second = try node.backend()
            #expect(try await second.recipients(generateMissingKey: true, until: patience) == [shared])
            for seal in seals {
                #expect(try await second.unseal(seal, until: patience).id == kek.id)
                _ = try await second.seal(kek, to: seal.recipient, until: patience)
            }
            try await second.probe(until: patience)
            #expect(await second.diagnose(until: patience).filter { $0.severity == .error } == [])
            await second.shutdown(until: patience)

            let empty = try await Node.make(scope, "empty")
            try await empty.tpm.tool("tpm2_changeauth", "-c", "owner", "owner's")
            let third = try empty.backend()
            let error = await #expect(throws: SealingError.self) {
                try await third.recipients(generateMissingKey: true, until: patience)
            }
            #expect(error?.errorClass == .operatorMustAct)
            await third.shutdown(until: patience)
            // The hint's own commands make a key that is as good as ours.
            let hint = try #require(error?.hint)
            let commands = try #require(hint.firstMatch(of: /(tpm2_createprimary .*), then (tpm2_evictcontrol .*)$/))
            for command in [commands.1, commands.2] {
                let line = String(command).replacing("AUTH", with: "\"owner's\"")
                _ = try await empty.tpm.attempt("sh", ["-c", line])
                try await empty.tpm.tool("tpm2_flushcontext", "-t")
            }
            let fourth = try empty.backend()
            #expect(try await fourth.recipients(generateMissingKey: true, until: patience).count == 1)
            #expect(try fourth.enrolment.pinned()?.area.attributes == StorageKey.template.attributes)
            #expect(try fourth.enrolment.pinned()?.area.nameAlgorithm == StorageKey.template.nameAlgorithm)
            await fourth.shutdown(until: patience)
        }
    }

    @Test("without this node's own files the seals open all the same, for recover, but prove nothing")
    func lostPin() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let (first, shared, local) = try await node.enrolled()
            let kek = try KEK.generate()
            let seals = try await EnrolmentTests.seals(kek, [shared, local], by: first)
            await first.shutdown(until: patience)
            try Files.remove(node.state)
            let second = try node.backend()
            for seal in seals {
                #expect(second.serves(seal.recipient))
                #expect(try await second.unseal(seal, until: patience).id == kek.id)
                #expect(!second.isAuthenticated(seal))
            }
            #expect(try Files.list(node.state) == [])
            let error = await #expect(throws: SealingError.self) {
                try await second.seal(kek, to: shared, until: patience)
            }
            #expect(error?.errorClass == .permanent)
            await second.shutdown(until: patience)
        }
    }

    @Test("a pin that was damaged, cut or exchanged is an error by its path, and nothing is enrolled over it")
    func damagedPin() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let (first, shared, _) = try await node.enrolled()
            await first.shutdown(until: patience)
            let pin = StorageKeyPin(directory: node.state, backend: "node-tpm")
            let whole = try Files.read(pin.path)
            #expect(try Files.mode(pin.path) == 0o600)
            var variants = stride(from: 0, to: whole.count, by: 7).map { Array(whole[..<$0]) }
            for index in stride(from: 0, to: whole.count, by: 3) {
                var bytes = whole
                bytes[index] ^= 1
                variants.append(bytes)
            }
            for bytes in variants {
                try Files.write(bytes, to: pin.path)
                #expect(throws: TPMError.self) { try pin.read() }
            }
            let second = try node.backend()
            let error = await #expect(throws: SealingError.self) {
                try await second.recipients(generateMissingKey: true, until: patience)
            }
            #expect(error?.message.contains(pin.path) == true)
            #expect(try Files.read(pin.path) == variants.last)
            try Files.write(whole, to: pin.path)
            #expect(try await second.recipients(generateMissingKey: true, until: patience) == [shared])
            await second.shutdown(until: patience)
        }
    }

    @Test("an unused TPM is given back after a while, and another user gets in")
    func idle() async throws {
        try await TestScope.with { scope in
            let node = try await Node.make(scope)
            let backend = try node.backend { $0.idleClose = .milliseconds(200) }
            _ = try await backend.recipients(generateMissingKey: true, until: patience)
            try await eventually("it is closed", within: .seconds(60)) { !backend.isDeviceOpen }
            try await backend.probe(until: patience)
            #expect(backend.isDeviceOpen)
            await backend.shutdown(until: patience)
            #expect(!backend.isDeviceOpen)
        }
    }

    /// The KEK sealed to each of them.
    private static func seals(_ kek: KEK, _ recipients: [Recipient], by backend: TPMBackend) async throws -> [Seal] {
        var seals: [Seal] = []
        for recipient in recipients { seals.append(try await backend.seal(kek, to: recipient, until: patience)) }
        return seals
    }
}
