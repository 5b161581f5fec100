import Crypto
import TestSupport
import Testing

@testable import TPMBackend

@Suite("Signed PCR policies")
struct SignedPolicyTests {
    /// From an image of Arch Linux (systemd#40245); the bank is another.
    static let found = """
        {"sha256": [{"pcrs": [11], "pkfp": "76821d7b4cc434f335776b288001ae62ffbffd578452471ae5172849317b4c33", "pol": \
        "265bfca5096406428767dc042c29efada44531215eeab0c272e6465195d77888", "sig": \
        "jsv24k07cKP5YNaxV9hkHNE4veEjIy/BXEbOPnjV+D/1VIaRRJtcdneOunEGD/bvFCUsPMjkDfVREmGemyBFaTUJFwry6JnFbyVDxG9CYRHv3GaC8D\
        vAgV26wFpV1Q5um4Dbzbf3CSSnw113FG4IstUtyTww/f3Xu124uT7/bYadtJMc8Sbu8wrq0mrwxI4T5uecG+K8WvxWyXMOpPctPqFg9UjpfJtuiTQe0i\
        szwRXjbGt1kGpfds7bODsjCm4yew29bTJJc7pASLK+RrYs6MN9f3OuChBt0gVqF9Afy9jydVeHzs4DxXRo5Vuc8CbZma9dmnI93f5xT1CKRzDdlA=="}]}
        """

    private func parse(_ text: String) throws(PolicyError) -> PCRSignatureFile {
        try PCRSignatureFile(Array(text.utf8), path: "/x.json")
    }

    @Test("a file as systemd-measure writes it")
    func real() throws {
        let file = try parse(SignedPolicyTests.found)
        #expect(file.entries.count == 1)
        let entry = try #require(file.entries.first)
        #expect(entry.selection.indices == [11] && entry.signature.count == 256)
        #expect(Hex.encode(entry.policy).hasPrefix("265bfca5") && Hex.encode(entry.fingerprint).hasPrefix("76821d7b"))
        #expect(try parse("{}").entries.isEmpty && parse(#"{"sha384":[1,{"x":[]}]}"#).entries.isEmpty)
    }

    @Test("cut or changed files never trap, and say where they are wrong")
    func mutations() throws {
        let bytes = Array(SignedPolicyTests.found.utf8)
        for count in 0..<bytes.count {
            #expect(throws: PolicyError.self) { try PCRSignatureFile(Array(bytes.prefix(count)), path: "/x") }
        }
        for index in bytes.indices {
            for change: UInt8 in [0x01, 0x20, 0x80, 0xff] {
                var changed = bytes
                changed[index] ^= change
                _ = try? PCRSignatureFile(changed, path: "/x")
            }
        }
        let digest = String(repeating: "00", count: 32)
        for (text, word) in [
            ("[]", "{ was expected (at byte 0)"), (#"{"sha256":{}}"#, "[ was expected"), (#"{"sha256":[1]}"#, "{ was"),
            (#"{"sha256":[{"pcrs":[24]}]}"#, "from 0 to 23"), (#"{"sha256":[{"pcrs":[]}]}"#, "without pcrs or pol"),
            (#"{"sha256":[{"pcrs":[11]}]}"#, "without pcrs or pol"), (#"{"sha256":[{"pol":"00"}]}"#, "SHA-256 digest"),
            (#"{"sha256":[{"sig":"?"}]}"#, "not base64"), (#"{"sha256":[{"sig":""}]}"#, "not base64"),
            (#"{"sha256":[],"sha256":[]}"#, "twice"), (#"{"sha256":[]} x"#, "text follows"),
            (
                #"{"sha256":["#
                    + [String](
                        repeating: #"{"pcrs":[1],"pkfp":"\#(digest)","pol":"\#(digest)","sig":"AAAA"}"#,
                        count: 257
                    ).joined(separator: ",") + "]}", "more than 256"
            ),
        ] {
            #expect {
                try parse(text)
            } throws: {
                ($0 as? PolicyError)?.code == .file && "\($0)".contains(word)
            }
        }
        #expect(try parse(#"{"sha256":[{"pcrs":[11],"pol":"\#(digest)"}]}"#).entries.isEmpty)
    }

    @Test(
        "openssl's signatures verify, with all kinds of keys; altered ones do not",
        arguments: [
            Signer.rsa, Signer.rsa3072, Signer.p256, Signer.p384,
        ])
    func verifies(_ options: [String]) async throws {
        try await TestScope.with { scope in
            let signer = try await Signer.make(scope, "signer", options)
            let key = try signer.key()
            let message = [UInt8](repeating: 1, count: 32)
            let signature = try await signer.sign(message)
            #expect(try key.verified(signature, of: message) != nil)
            #expect(try key.verified(signature, of: message + [0]) == nil)
            #expect(try key.verified(signature + [0], of: message) == nil)
            #expect(try key.verified(signature.dropLast(), of: message) == nil)
            #expect(try key.verified([], of: message) == nil)
            for index in [0, 1, 3, 5, signature.count - 1] {
                var changed = signature
                changed[index] ^= 4
                #expect(try key.verified(changed, of: message) == nil)
            }
            // Not what `verified` takes first and the TPM would then refuse.
            let other = try await Signer.make(scope, "other", options)
            #expect(try other.key().verified(signature, of: message) == nil)
        }
    }

    @Test("fingerprints are those of the bare key")
    func fingerprints() async throws {
        try await TestScope.with { scope in
            let rsa = try await Signer.make(scope, "rsa", Signer.rsa)
            try await rsa.openssl(
                ["rsa", "-pubin", "-in", "rsa.pem", "-RSAPublicKey_out", "-outform", "DER", "-out", "rsa.der"])
            #expect(try rsa.key().fingerprint == SHA256.hash(Files.read(scope.path("rsa.der"))))
            let ec = try await Signer.make(scope, "ec", Signer.p256)
            let point = try #require(try ec.key().publicArea.point)
            #expect(try ec.key().fingerprint == SHA256.hash(point.uncompressed))
        }
    }

    @Test(
        "keys of other kinds are refused by name",
        arguments: [
            (["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], "1024 bits"),
            (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], "secp521r1"),
            (["-algorithm", "ED25519"], "neither an RSA nor an EC key"),
        ])
    func kinds(_ options: [String], _ word: String) async throws {
        try await TestScope.with { scope in
            let signer = try await Signer.make(scope, "signer", options)
            #expect {
                try signer.key()
            } throws: {
                ($0 as? PolicyError)?.code == .file && "\($0)".contains(word) && "\($0)".contains("signer.pem")
            }
        }
        for junk in ["", "hello", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
            #expect(throws: PolicyError.self) { try SigningKey(pem: Array(junk.utf8), path: "/x") }
        }
    }

    @Test("the signature of the present state is found among others; every other case is said by name")
    func approval() async throws {
        try await TestScope.with { scope in
            let signer = try await Signer.make(scope, "signer", Signer.p256)
            let stranger = try await Signer.make(scope, "stranger", Signer.p256)
            let key = try signer.key()
            let now = try pcrs("11", 1)
            let file = try parse(try await signer.file(try pcrs("11", 2), now, try pcrs("7+11", 1)))
            #expect(file.entries.count == 3)
            var digest = PolicyDigest()
            try digest.pcrs(now)
            let approval = try Approval(of: digest.bytes, now.selection, by: key, in: [file])
            #expect(approval.policy == digest.bytes)
            #expect(approval.signature.encoded.starts(with: hex("0018000b0020")))
            #expect(approval.signature.encoded.count == 4 + 2 * 34)

            func refusal(_ values: PCRValues, _ key: SigningKey, _ file: PCRSignatureFile) throws -> String {
                var digest = PolicyDigest()
                try digest.pcrs(values)
                do throws(PolicyError) {
                    _ = try Approval(of: digest.bytes, values.selection, by: key, in: [file])
                } catch {
                    #expect(error.code == .state)
                    return "\(error)"
                }
                return ""
            }
            let stale = try refusal(try pcrs("11", 3), key, file)
            #expect(stale.contains("/x.json: 2 signatures for PCR 11, none for its present value"))
            #expect(stale.contains("enter-initrd:leave-initrd:sysinit:ready"))
            #expect(try refusal(try pcrs("12", 1), key, file).contains("signatures for PCR 11, 7+11, none for PCR 12"))
            let foreign = try refusal(now, try stranger.key(), file)
            #expect(foreign.contains("no signature by the key of this policy"))
            #expect(foreign.contains(Hex.encode(key.fingerprint.prefix(8))))
            #expect(try refusal(now, key, try parse(#"{"sha1":[{}]}"#)).contains("no signature for the SHA-256 bank"))
            // A file that claims the key's fingerprint with somebody else's signature.
            let genuine = Hex.encode(key.fingerprint)
            let forged = try await stranger.file(now).replacing(
                Hex.encode(try stranger.key().fingerprint), with: genuine)
            #expect(try refusal(now, key, try parse(forged)).contains("is not by the key that it names"))
            // Beside a forged one, the right one still counts.
            #expect(throws: Never.self) {
                try Approval(of: digest.bytes, now.selection, by: key, in: [try parse(forged), file])
            }
        }
    }

    @Test("files are looked for in order; the key by its Name, also behind another one")
    func files() async throws {
        try await TestScope.with { scope in
            let folders = ["etc", "run", "usr"].map(scope.path)
            for folder in folders { try Files.makeDirectory(folder) }
            let files = PolicyFiles(directories: folders)
            #expect(PolicyFiles().keys.first == "/etc/systemd/tpm2-pcr-public-key.pem")
            #expect(PolicyFiles().signatures.last == "/usr/lib/systemd/tpm2-pcr-signature.json")
            #expect { try files.signingKey() } throws: { "\($0)".contains("etc/tpm2-pcr-public-key.pem, ") }
            #expect { try files.signatureFiles() } throws: { "\($0)".contains("no signatures of PCR values") }

            let old = try await Signer.make(scope, "old", Signer.p256)
            let new = try await Signer.make(scope, "new", Signer.p256)
            let usr = "\(folders[2])/tpm2-pcr-public-key.pem"
            try Files.write(Files.read(old.publicPath), to: usr)
            #expect(try files.signingKey().name == old.key().name)
            let etc = "\(folders[0])/tpm2-pcr-public-key.pem"
            try Files.write(Files.read(new.publicPath), to: etc)
            #expect(try files.signingKey().name == new.key().name)
            #expect(try files.signingKey(named: old.key().name).name == old.key().name)
            try Files.remove(usr)
            let name = try old.key().name
            #expect { try files.signingKey(named: name) } throws: {
                "\($0)".contains("\(etc): not the key that signs") && "\($0)".contains("reseal")
            }
            try Files.changeMode(etc, to: 0o620)
            #expect { try files.signingKey() } throws: { "\($0)".contains("others than root") }
            #expect { try files.signingKey(named: name) } throws: { "\($0)".contains("others than root") }

            try Files.write("{", to: "\(folders[0])/tpm2-pcr-signature.json")
            #expect { try files.signatureFiles() } throws: { "\($0)".contains("etc/tpm2-pcr-signature.json: ") }
            try Files.write(SignedPolicyTests.found, to: "\(folders[1])/tpm2-pcr-signature.json")
            #expect(try files.signatureFiles().map(\.path) == ["\(folders[1])/tpm2-pcr-signature.json"])
            try Files.write([UInt8](repeating: 0x20, count: 70000), to: "\(folders[1])/tpm2-pcr-signature.json")
            #expect(throws: PolicyError.self) { try files.signatureFiles() }
            let single = PolicyFiles(key: new.publicPath, signature: scope.directory, directories: folders)
            #expect(try single.signingKey().name == new.key().name)
            #expect { try single.signatureFiles() } throws: { "\($0)".contains("not a file") }
        }
    }
}
