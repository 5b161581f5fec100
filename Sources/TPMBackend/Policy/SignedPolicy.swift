internal import Crypto
internal import Keyring

/// A seal opens while the TPM's PCRs have values that a key has signed (TPM2_PolicyAuthorize), as systemd-measure and
/// ukify sign them into images.
public struct SignedPolicy: Sendable, Hashable {
    let selection: PCRSelection
    let files: PolicyFiles

    /// A policy; no file is read.
    ///
    /// - Parameters:
    ///   - pcrs: of the SHA-256 bank: `sha256:11`, `7+11`.
    ///   - publicKey: the path of the key in PEM: RSA of 2048 or 3072 bits, P-256 or P-384. Nil: the first
    ///     `tpm2-pcr-public-key.pem` in /etc/systemd, /run/systemd and /usr/lib/systemd.
    ///   - signatures: the path of the signatures. Nil: `tpm2-pcr-signature.json` there.
    /// - Throws: `configuration`.
    public init(pcrs: String = "sha256:11", publicKey: String? = nil, signatures: String? = nil) throws(TPMError) {
        do throws(PolicyError) {
            let expectation = try PCRExpectation(pcrs)
            guard expectation.given.isEmpty else {
                throw PolicyError(
                    .configuration, "PCRs \"\(pcrs)\": a signed policy takes no values", hint: "such as sha256:11")
            }
            selection = expectation.selection
        } catch {
            throw TPMError(error)
        }
        for path in [publicKey, signatures] {
            guard let path, !path.hasPrefix("/") || path.utf8.contains(0) else { continue }
            throw TPMError(.configuration, "\"\(path)\" is not an absolute path")
        }
        files = PolicyFiles(key: publicKey, signature: signatures)
    }

    /// The way in which a seal of this policy opens.
    func target(_ context: ESYSContext, _ key: StorageKey) throws(TPMError) -> PolicyTarget {
        let current = try context.readPCRs(selection, authenticatedBy: key)
        do throws(PolicyError) {
            try current.checkMeasured()
            let name = try files.signingKey().name
            var digest = PolicyDigest()
            try digest.authorized(byKeyNamed: name)
            return PolicyTarget(
                digest: digest.bytes, parameters: PolicyParameters.signed(selection, keyName: name).encoded)
        } catch {
            throw TPMError(error)
        }
    }
}

/// That the PCRs have values that the key with this Name has signed.
struct SignedRequirement: PolicyRequirement {
    let selection: PCRSelection
    let keyName: [UInt8]
    let files: PolicyFiles

    /// Six commands.
    func satisfy(_ session: PolicySession) throws(TPMError) {
        try session.pcrs(selection)
        let current = try session.digest()
        let key: SigningKey
        let approval: Approval
        let hash: [UInt8]
        do throws(PolicyError) {
            key = try files.signingKey(named: keyName)
            approval = try Approval(of: current, selection, by: key, in: files.signatureFiles())
            hash = try policyHash(approval.policy)
        } catch {
            throw TPMError(error)
        }
        try session.authorize(approval, hash, by: key)
    }

    func mismatch(_ session: PolicySession) -> TPMError {
        TPMError(
            .policy, "the policy of this seal is not the one of the key that signs \(selection)",
            errorClass: .permanent)
    }

    /// Whether the present values are approved, without a session: one command for each eight PCRs.
    func verdict(_ context: ESYSContext) throws(TPMError) -> PolicyVerdict {
        let current = try context.readPCRs(selection)
        do throws(PolicyError) {
            let key = try files.signingKey(named: keyName)
            var digest = PolicyDigest()
            try digest.pcrs(current)
            _ = try Approval(of: digest.bytes, selection, by: key, in: files.signatureFiles())
            return PolicyVerdict(
                text: "\(selection), signed by \(Hex.encode(key.fingerprint.prefix(8)))…: satisfied now")
        } catch {
            guard error.code != .cryptography else { throw TPMError(error) }
            return PolicyVerdict(text: "", refusal: TPMError(error))
        }
    }
}
