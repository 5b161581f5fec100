import CTSS2
import Crypto
import Keyring
import Synchronization
import TestSupport
import Testing

@testable import TPMBackend

/// That the PCRs have values, and somebody measures something else into another PCR meanwhile.
private final class Disturbed: PolicyRequirement {
    private let requirement: LiteralRequirement
    private let disturbances: Mutex<Int>
    private let count = Mutex(0)

    init(_ requirement: LiteralRequirement, disturbances: Int) {
        self.requirement = requirement
        self.disturbances = Mutex(disturbances)
    }

    /// How often the policy was shown.
    var attempts: Int { count.withLock { $0 } }

    func satisfy(_ session: PolicySession) throws(TPMError) {
        try requirement.satisfy(session)
        count.withLock { $0 += 1 }
        let isDisturbed = disturbances.withLock { left in
            left -= 1
            return left >= 0
        }
        guard isDisturbed else { return }
        var values = TPML_DIGEST_VALUES()
        values.count = 1
        values.digests.0.hashAlg = TPMAlgorithm.sha256
        // PCR 8, with a password session of no password.
        try session.context.call(.policy) {
            Esys_PCR_Extend($0, 8, Handle.password, Handle.none, Handle.none, &values)
        }
    }

    func mismatch(_ session: PolicySession) -> TPMError { requirement.mismatch(session) }
    func verdict(_ context: ESYSContext) throws(TPMError) -> PolicyVerdict { try requirement.verdict(context) }
}

@Suite("PCRs that change while a seal is opened")
struct ChangingPCRTests {
    @Test("the policy is shown again, at most five times", arguments: [(0, true), (1, true), (4, true), (5, false)])
    func changed(_ disturbances: Int, _ opens: Bool) async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            let backend = try node.backend(.literal(LiteralPolicy(pcrs: ["7"])))
            _ = try await backend.recipients(generateMissingKey: true, until: patience)
            let local = try #require(try await backend.localRecipients(until: patience).first)
            let kek = try KEK.generate()
            let seal = try await backend.seal(kek, to: local, until: patience)
            await backend.shutdown(until: patience)

            let description = try RecipientDescription.of(local)
            guard case .literal(let selection, let marks)? = PolicyParameters(description.policy) else {
                throw TestError("\(description.policy)")
            }
            let requirement = Disturbed(
                LiteralRequirement(selection: selection, marks: marks), disturbances: disturbances)
            let object = try TPMSeal(local: seal.bytes, description).object
            let key = try #require(try backend.enrolment.pinned())
            let context = try ESYSContext(tcti: node.node.tpm.tcti)
            func open() throws(TPMError) -> SecretBytes {
                try context.open(object, under: key, requirement, description)
            }
            if opens {
                #expect(try KEK(open()).id == kek.id)
                #expect(requirement.attempts == disturbances + 1)
            } else {
                let error = #expect(throws: TPMError.self) { _ = try open() }
                #expect(error?.errorClass == .retry && error?.code == .policy)
                #expect(error?.message.contains("5 times: PCRs change while the seal is opened") == true)
                #expect(requirement.attempts == 5)
            }
            #expect(context.orphans == [])
        }
    }

    @Test("nothing stays in the TPM, whether the policy was satisfied or not")
    func nothingStays() async throws {
        try await TestScope.with { scope in
            let node = try await PolicyNode.make(scope)
            let signer = try await Signer.make(scope, "signer", Signer.p256)
            try await node.sign(signer)
            let policies: [TPMPolicy] = [
                .literal(try LiteralPolicy(pcrs: ["7+11"])),
                .signed(try SignedPolicy(publicKey: signer.publicPath, signatures: node.signatures)),
            ]
            let kek = try KEK.generate()
            var seals: [Seal] = []
            for policy in policies {
                let backend = try node.backend(policy)
                let recipients =
                    try await backend.recipients(generateMissingKey: true, until: patience)
                    + backend.localRecipients(until: patience)
                for recipient in recipients {
                    seals.append(try await backend.seal(kek, to: recipient, until: patience))
                }
                await backend.shutdown(until: patience)
            }
            let backend = try node.backend(policies[1])
            for seal in seals { _ = try await backend.unseal(seal, until: patience) }
            try await node.extend(11, 3)
            for seal in seals {
                await #expect(throws: SealingError.self) { _ = try await backend.unseal(seal, until: patience) }
            }
            await backend.shutdown(until: patience)
            for kind in ["handles-transient", "handles-loaded-session", "handles-saved-session"] {
                #expect(try await node.node.tpm.tool("tpm2_getcap", kind) == "", "\(kind)")
            }
        }
    }
}
