import Crypto
import TestSupport
import Testing

@testable import TPMBackend

/// A TPM is asked, through tpm2-tools, for the digests and Names that are computed here.
@Suite("Policy digests on a software TPM")
struct PolicyKnownAnswerTests {
    private static let extended = String(repeating: "ab", count: 32)

    /// The values of some PCRs, as `tpm2_pcrread` writes them.
    private func read(_ text: String, _ tpm: ToolTPM) async throws -> PCRValues {
        let selection = try PCRExpectation(text).selection
        try await tpm.run(
            "tpm2_pcrread", "sha256:" + selection.indices.map(String.init).joined(separator: ","), "-o", "pcrs")
        let bytes = try tpm.read("pcrs")
        let values = stride(from: 0, to: bytes.count, by: 32).map { Array(bytes[$0..<($0 + 32)]) }
        return try #require(PCRValues(selection, values))
    }

    @Test("PolicyPCR, PolicyAuthorize and PolicyAuthValue, alone and one after the other")
    func digests() async throws {
        try await TestScope.with { scope in
            let tpm = try await ToolTPM.start(scope)
            let extended = PolicyKnownAnswerTests.extended
            try await tpm.run(
                "tpm2_pcrextend", "7:sha256=\(extended)", "11:sha256=\(extended)", "15:sha256=\(extended)")
            try await tpm.run("tpm2_pcrextend", "11:sha256=\(extended)")
            let signer = try await Signer.make(scope, "signer", Signer.p256)
            try await tpm.run(
                "tpm2_loadexternal", "-C", "n", "-G", "ecc", "-u", "signer.pem", "-c", "k.ctx", "-n", "name")
            try await tpm.flush()
            #expect(try tpm.read("name") == signer.key().name)

            for text in ["7", "11", "7+11", "0+7+11+15+22"] {
                let values = try await read(text, tpm)
                var digest = PolicyDigest()
                try digest.pcrs(values)
                try await tpm.run("tpm2_startauthsession", "-S", "trial")
                let list = values.selection.description.replacing("+", with: ",")
                try await tpm.run("tpm2_policypcr", "-S", "trial", "-l", list, "-L", "policy")
                #expect(try tpm.read("policy") == digest.bytes)
                // Any policy may be signed, so an authorized one has another digest, which forgets it.
                try await tpm.run(
                    "tpm2_policyauthorize", "-S", "trial", "-i", "policy", "-n", "name", "-L", "authorized")
                var authorized = digest
                try authorized.authorized(byKeyNamed: signer.key().name)
                #expect(try tpm.read("authorized") == authorized.bytes)
                try await tpm.run("tpm2_policyauthvalue", "-S", "trial", "-L", "both")
                try authorized.authValue()
                #expect(try tpm.read("both") == authorized.bytes)
                try await tpm.run("tpm2_flushcontext", "trial")
            }
            // With a reference behind the signed policy, and the PIN alone.
            try tpm.write([1, 2, 3], "reference")
            try await tpm.run("tpm2_startauthsession", "-S", "trial")
            try await tpm.run(
                "tpm2_policyauthorize", "-S", "trial", "-i", "policy", "-n", "name", "-q", "reference", "-L",
                "qualified")
            var qualified = PolicyDigest()
            try qualified.authorized(byKeyNamed: signer.key().name, reference: [1, 2, 3])
            #expect(try tpm.read("qualified") == qualified.bytes)
            try await tpm.run("tpm2_flushcontext", "trial")
            try await tpm.run("tpm2_startauthsession", "-S", "trial")
            try await tpm.run("tpm2_policyauthvalue", "-S", "trial", "-L", "pin")
            var pin = PolicyDigest()
            try pin.authValue()
            #expect(try tpm.read("pin") == pin.bytes)
        }
    }

    @Test(
        "a seal to a signed policy opens by openssl's signature of the present state",
        arguments: [
            Signer.rsa, Signer.rsa3072, Signer.p256, Signer.p384,
        ])
    func signed(_ options: [String]) async throws {
        try await TestScope.with { scope in
            let tpm = try await ToolTPM.start(scope)
            try await tpm.run("tpm2_pcrextend", "11:sha256=\(PolicyKnownAnswerTests.extended)")
            let signer = try await Signer.make(scope, "signer", options)
            let key = try signer.key()
            let values = try await read("11", tpm)
            let file = try PCRSignatureFile(Array(try await signer.file(values).utf8), path: "/x.json")
            var approved = PolicyDigest()
            try approved.pcrs(values)
            let approval = try Approval(of: approved.bytes, values.selection, by: key, in: [file])

            var policy = PolicyDigest()
            try policy.authorized(byKeyNamed: key.name)
            try await tpm.run("tpm2_createprimary", "-C", "o", "-G", "ecc", "-c", "parent.ctx")
            try await tpm.run("tpm2_readpublic", "-c", "parent.ctx", "-o", "parent.pub")
            let kek = try SecretBytes(randomCount: 32)
            let seal = try ImportSeal.make(
                secret: kek, parent: TPMPublic(sized: tpm.read("parent.pub")), policyDigest: policy.bytes)
            try tpm.write(seal.publicArea.encodedSized, "seal.pub")
            try tpm.write(TPMWriter.bytes { $0.sized(seal.duplicate) }, "seal.dup")
            try tpm.write(TPMWriter.bytes { $0.sized(seal.encryptedSeed) }, "seal.seed")
            try await tpm.run(
                "tpm2_import", "-C", "parent.ctx", "-u", "seal.pub", "-i", "seal.dup", "-s", "seal.seed", "-r",
                "seal.priv")
            try await tpm.flush()
            try await tpm.run("tpm2_load", "-C", "parent.ctx", "-u", "seal.pub", "-r", "seal.priv", "-c", "seal.ctx")
            try await tpm.flush()

            // The key as it is loaded by its public area, the signature as it is checked by the TPM.
            try tpm.write(key.publicArea.encodedSized, "key.tpm")
            try tpm.write(approval.signature.encoded, "signature.tpm")
            try tpm.write(approval.policy, "approved")
            try await tpm.run("tpm2_loadexternal", "-C", "o", "-u", "key.tpm", "-c", "key.ctx", "-n", "key.name")
            #expect(try tpm.read("key.name") == key.name)
            try await tpm.run(
                "tpm2_verifysignature", "-c", "key.ctx", "-g", "sha256", "-m", "approved", "-s", "signature.tpm", "-t",
                "ticket")
            try await tpm.flush()
            try await tpm.run("tpm2_startauthsession", "--policy-session", "-S", "session")
            try await tpm.run("tpm2_policypcr", "-S", "session", "-l", "sha256:11")
            try await tpm.run(
                "tpm2_policyauthorize", "-S", "session", "-i", "approved", "-n", "key.name", "-t", "ticket")
            try await tpm.run("tpm2_unseal", "-c", "seal.ctx", "-p", "session:session", "-o", "opened")
            #expect(try tpm.read("opened") == kek.exposed())
        }
    }
}
