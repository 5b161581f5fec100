import CTSS2
import Crypto
import Keyring
import TestSupport
import Testing

@testable import TPMBackend

extension ESYSContext {
    /// Opens an object as a seal is opened, with a requirement and a PIN of the test's.
    func open(
        _ object: SealedObject, under key: StorageKey, _ requirement: any PolicyRequirement,
        _ description: RecipientDescription, pin: [UInt8] = []
    ) throws(TPMError) -> SecretBytes {
        try withHandle(of: key) { (parent) throws(TPMError) in
            try withSession(.hmac, saltedTo: parent) { (session) throws(TPMError) in
                try withLoaded(object, under: parent, session) { (loaded) throws(TPMError) in
                    var auth = TPM2B_AUTH()
                    auth.size = UInt16(pin.count)
                    withUnsafeMutableBytes(of: &auth.buffer) { $0.copyBytes(from: pin) }
                    try call(.load) { Esys_TR_SetAuth($0, loaded, &auth) }
                    return try withSession(.policy, saltedTo: parent) { (policy) throws(TPMError) in
                        try PolicySession(context: self, session: policy).run(
                            requirement, wantsPIN: description.wantsPIN, digest: description.policyDigest
                        ) { (policy) throws(TPMError) in try unseal(loaded, session, policy: policy) }
                    }
                }
            }
        }
    }
}

@Suite("policies with a PIN besides")
struct PolicyWithPINTests {
    @Test("the state and the PIN have to be right, whatever the policy", arguments: [true, false])
    func both(_ isSigned: Bool) async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            let policy = try await node.policy(isSigned: isSigned, pcrs: "11")
            let backend = try node.backend(policy)
            _ = try await backend.recipients(generateMissingKey: true, until: patience)
            let key = try #require(try backend.enrolment.pinned())
            await backend.shutdown(until: patience)

            let pin = Array("a PIN of the node's".utf8)
            let kek = [UInt8](repeating: 0x4b, count: 32)
            func withTPM<R>(_ body: (ESYSContext) throws(TPMError) -> R) throws(TPMError) -> R {
                try body(try ESYSContext(tcti: node.node.tpm.tcti))
            }
            let (description, object) = try withTPM { (context) throws(TPMError) in
                guard let target = try policy.targets(context, key).first else { throw TPMError(.local, "no target") }
                let bound = try target.withPIN()
                #expect(bound.digest != target.digest && bound.parameters == target.parameters)
                let description = RecipientDescription(
                    .local(name: key.name), policyDigest: bound.digest, policy: bound.parameters, wantsPIN: true)
                let template = TPMSeal.template(description)
                #expect(!template.attributes.contains(.noDA) && !template.attributes.contains(.userWithAuth))
                let object = try kek.span.withUnsafeBytes { (kek) throws(TPMError) in
                    try pin.span.withUnsafeBytes { (pin) throws(TPMError) in
                        try context.create(kek, auth: pin, template: template, under: key)
                    }
                }
                return (description, object)
            }
            let requirement = try policy.requirement(description.policy)
            func open(_ pin: [UInt8]) throws(TPMError) -> [UInt8] {
                try withTPM { (context) throws(TPMError) in
                    try context.open(object, under: key, requirement, description, pin: pin).exposed()
                }
            }
            #expect(try open(pin) == kek)
            for wrong in [[], Array("another".utf8)] as [[UInt8]] {
                let error = #expect(throws: TPMError.self) { try open(wrong) }
                #expect(error?.code == .pinBlocked, "\(error.debugDescription)")
            }
            // A wrong state is found before the PIN is used: it costs no guess.
            try await node.extend(11, 7)
            let before = try await node.node.tpm.tool("tpm2_getcap", "properties-variable")
            let error = #expect(throws: TPMError.self) { try open(Array("another".utf8)) }
            #expect(error?.code == .policy)
            #expect(try await node.node.tpm.tool("tpm2_getcap", "properties-variable") == before)
        }
    }

    @Test("a backend with a policy and a PIN: each is refused by its own name", arguments: [true, false])
    func backend(_ isSigned: Bool) async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            let policy = try await node.policy(isSigned: isSigned, pcrs: "11")
            let pinFile = scope.path("pin")
            try Files.write("right pin 1\n", to: pinFile)
            let backend = try node.node.backend { configuration in
                configuration.policy = policy
                configuration.pinSource = pinFile
                configuration.idleClose = .zero
            }
            #expect(try await backend.recipients(generateMissingKey: true, until: patience) == [])
            let local = try #require(try await backend.localRecipients(until: patience).first)
            let kek = try KEK.generate()
            let seal = try await backend.seal(kek, to: local, until: patience)
            #expect(try await backend.unseal(seal, until: patience).id == kek.id)
            #expect(await backend.policies(of: [local], until: patience).map(\.isSatisfied) == [true])

            // Another state: the PIN was not sent, so it is not held back afterwards.
            let signed = try Files.read(node.signatures)
            try await node.extend(11, 7)
            let stale = await refusal { _ = try await backend.unseal(seal, until: patience) }
            #expect((stale?.cause as? TPMError)?.code == .policy, "\(stale.debugDescription)")
            try await node.node.tpm.losePower()
            try await node.node.tpm.tool("tpm2_startup", "-c")
            try await node.extend(11, 1)
            try Files.write(signed, to: node.signatures)
            #expect(try await backend.unseal(seal, until: patience).id == kek.id)

            try Files.write("wrong pin 1\n", to: pinFile)
            let wrong = await refusal { _ = try await backend.unseal(seal, until: patience) }
            #expect((wrong?.cause as? TPMError)?.code == .pinBlocked)
            await backend.shutdown(until: patience)
        }
    }

    @Test("without a policy a PIN needs none")
    func alone() throws {
        #expect(try PolicyTarget.none.withPIN() == .none)
    }
}
