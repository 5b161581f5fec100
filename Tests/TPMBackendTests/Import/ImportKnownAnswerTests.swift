import Crypto
import TestSupport
import Testing

@testable import TPMBackend

/// A TPM is asked, through tpm2-tools, what it makes of objects that were wrapped here.
@Suite("TPM import seals on a software TPM")
struct ImportKnownAnswerTests {
    /// `tpm2_createprimary`'s algorithm and name algorithm.
    static let parents = [
        ("ecc256:aes128cfb", "sha256"), ("ecc384:aes256cfb", "sha384"), ("rsa2048:aes128cfb", "sha256"),
        ("rsa2048:aes256cfb", "sha384"), ("rsa3072:aes128cfb", "sha256"), ("ecc256:aes128cfb", "sha512"),
    ]

    /// Imports, loads and unseals with the parent `parent` (a context file or a handle).
    private func open(
        _ seal: ImportSeal, _ tpm: ToolTPM, parent: String, auth: [String] = []
    ) async throws -> [UInt8] {
        try tpm.write(seal.publicArea.encodedSized, "seal.pub")
        try tpm.write(TPMWriter.bytes { $0.sized(seal.duplicate) }, "seal.dup")
        try tpm.write(TPMWriter.bytes { $0.sized(seal.encryptedSeed) }, "seal.seed")
        try await tpm.run(
            "tpm2_import", "-C", parent, "-u", "seal.pub", "-i", "seal.dup", "-s", "seal.seed", "-r", "seal.priv")
        try await tpm.flush()
        try await tpm.run("tpm2_load", "-C", parent, "-u", "seal.pub", "-r", "seal.priv", "-c", "seal.ctx")
        try await tpm.flush()
        let opened = try await tpm.attempt("tpm2_unseal", ["-c", "seal.ctx", "-o", "opened"] + auth)
        guard opened.succeeded else { throw TestError("tpm2_unseal: \(opened.text)") }
        return try tpm.read("opened")
    }

    @Test("tpm2_import, tpm2_load and tpm2_unseal open it", arguments: parents)
    func opens(_ algorithm: String, _ hash: String) async throws {
        try await TestScope.with { scope in
            let tpm = try await ToolTPM.start(scope)
            try await tpm.run(
                "tpm2_createprimary", "-C", "o", "-G", algorithm, "-g", hash, "-c", "parent.ctx", "-a",
                "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt")
            try await tpm.run("tpm2_readpublic", "-c", "parent.ctx", "-o", "parent.pub", "-n", "parent.name")
            try await tpm.flush()
            let parent = try TPMPublic(sized: tpm.read("parent.pub"))
            #expect(parent.storageRefusal == nil)
            #expect(try parent.name == tpm.read("parent.name"))

            let kek = try SecretBytes(randomCount: 32)
            let seal = try ImportSeal(ImportSeal.make(secret: kek, parent: parent, policyDigest: []).encoded)
            #expect(try await open(seal, tpm, parent: "parent.ctx") == kek.exposed())

            // With a policy it opens in a session that satisfies it, and not without.
            try await tpm.run("tpm2_startauthsession", "--policy-session", "-S", "session")
            try await tpm.run("tpm2_policypcr", "-S", "session", "-l", "sha256:16", "-L", "policy")
            let bound = try ImportSeal.make(secret: kek, parent: parent, policyDigest: tpm.read("policy"))
            #expect(try await open(bound, tpm, parent: "parent.ctx", auth: ["-p", "session:session"]) == kek.exposed())
            try await tpm.flush()
            #expect(try await !tpm.attempt("tpm2_unseal", ["-c", "seal.ctx"]).succeeded)
        }
    }

    @Test("numbers that begin with zero bytes: the parent's, the ephemeral key's, and the common secret")
    func leadingZeros() async throws {
        try await TestScope.with { scope in
            let tpm = try await ToolTPM.start(scope)
            let parent = try parentWithLeadingZero(tpm.socket)
            let point = try #require(parent.point)
            #expect(point.x.first == 0)
            try await tpm.run("tpm2_readpublic", "-c", "0x81000001", "-o", "parent.pub", "-n", "parent.name")
            #expect(try tpm.read("parent.pub") == parent.encodedSized)
            #expect(try tpm.read("parent.name") == parent.name)
            let kek = try SecretBytes(randomCount: 32)
            let seal = try ImportSeal.make(secret: kek, parent: parent, policyDigest: [])
            #expect(try await open(seal, tpm, parent: "0x81000001") == kek.exposed())

            // One coordinate, the other, and the secret that both sides come to.
            let cases: [(borrowing ECDHKey) throws -> Bool] = [
                { $0.point.x[0] == 0 }, { $0.point.y[0] == 0 },
                { try $0.agree(with: point).withUnsafeBytes { $0[0] == 0 } },
            ]
            for isShort in cases {
                let seed = try ephemeralSeed(to: point, where: isShort)
                let seal = try kek.withUnsafeBytes { (bytes) throws(TPMFormatError) in
                    try ImportSeal.make(secret: bytes, parent: parent, policyDigest: [], seed: seed)
                }
                #expect(seal.encryptedSeed.count == 68)
                #expect(try await open(ImportSeal(seal.encoded), tpm, parent: "0x81000001") == kek.exposed())
            }
        }
    }

    /// A seed by an ephemeral key that is short in some way; one in 256 is.
    private func ephemeralSeed(
        to parent: ECPoint, where isShort: (borrowing ECDHKey) throws -> Bool
    ) throws -> ImportSeed {
        for _ in 0..<16384 {
            let key = try ECDHKey(on: .p256)
            if try isShort(key) { return try ImportSeed(to: parent, by: key, hash: .sha256) }
        }
        throw TestError("no short key in 16384")
    }

    /// A storage key at 0x81000001 whose x coordinate begins with a zero byte, found by other values in the template.
    private func parentWithLeadingZero(_ socket: String) throws -> TPMPublic {
        let tpm = try RawTPM(socket)
        for number in 0..<UInt32(8192) {
            let unique = [UInt8](repeating: 0, count: 28) + TPMWriter.bytes { $0.integer(number) }
            let (handle, publicArea) = try tpm.createPrimary(unique: unique)
            if publicArea.point?.x.first == 0 {
                try tpm.makePersistent(handle, at: 0x8100_0001)
                try tpm.flush(handle)
                return publicArea
            }
            try tpm.flush(handle)
        }
        throw TestError("no storage key with a short coordinate in 8192")
    }
}
