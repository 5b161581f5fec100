internal import CTSS2
internal import Glibc
internal import Keyring

/// What a policy asks of the TPM's state: read from a recipient's description, fulfilled on a policy session.
protocol PolicyRequirement: Sendable {
    /// Runs the policy's commands. Called again from the beginning, after TPM2_PolicyRestart, when a PCR changed
    /// meanwhile.
    ///
    /// - Throws: `policy` when the state does not fit, naming what differs.
    func satisfy(_ session: PolicySession) throws(TPMError)

    /// Why the session's digest is not the object's although `satisfy` did its part.
    func mismatch(_ session: PolicySession) -> TPMError

    /// Whether the TPM's present state would do; no session is needed.
    ///
    /// - Throws: what keeps the TPM from telling.
    func verdict(_ context: ESYSContext) throws(TPMError) -> PolicyVerdict
}

extension PolicyRequirement {
    /// That the TPM's present state would do, in words.
    ///
    /// - Throws: `policy` when it would not, naming what differs.
    func state(_ context: ESYSContext) throws(TPMError) -> String {
        let verdict = try verdict(context)
        if let refusal = verdict.refusal { throw refusal }
        return verdict.text
    }
}

/// What a policy says of the TPM's present state.
struct PolicyVerdict: Sendable {
    /// For a state that would do.
    let text: String
    /// Why it would not.
    var refusal: TPMError?
    /// The PCRs that have another value, where that can be told.
    var differing: [Int] = []
}

/// One way in which a seal may open: the digest that the object carries, and what a reader needs to satisfy it.
struct PolicyTarget: Sendable, Hashable {
    /// Empty, or 32 bytes.
    let digest: [UInt8]
    /// For a recipient's description.
    let parameters: [UInt8]

    static let none = PolicyTarget(digest: [], parameters: [])

    /// The same, with a PIN besides: TPM2_PolicyAuthValue comes last. Without a policy the PIN needs none.
    func withPIN() throws(TPMError) -> PolicyTarget {
        guard !digest.isEmpty else { return self }
        var policy = PolicyDigest(bytes: digest)
        do throws(PolicyError) { try policy.authValue() } catch { throw TPMError(error) }
        return PolicyTarget(digest: policy.bytes, parameters: parameters)
    }
}

/// A policy session, salted to the storage key, on which a policy's commands run.
struct PolicySession {
    let context: ESYSContext
    let session: SaltedSession

    /// How often a policy is tried whose PCRs change meanwhile.
    static let patience = 5

    /// One command of the policy.
    func call(_ body: (OpaquePointer?, ESYS_TR) -> TSS2_RC) throws(TPMError) {
        try context.call(.policy) { body($0, session.handle) }
    }

    /// The digest of what was shown so far, 32 bytes.
    func digest() throws(TPMError) -> [UInt8] {
        var digest: UnsafeMutablePointer<TPM2B_DIGEST>?
        defer { Esys_Free(digest) }
        try call { Esys_PolicyGetDigest($0, $1, Handle.none, Handle.none, Handle.none, &digest) }
        guard let digest else { return [] }
        return withUnsafeBytes(of: &digest.pointee.buffer) { Array($0.prefix(Int(digest.pointee.size))) }
    }

    /// The object's auth value (a PIN) is wanted, too, and proven by the session's HMAC.
    func authValue() throws(TPMError) {
        try call { Esys_PolicyAuthValue($0, $1, Handle.none, Handle.none, Handle.none) }
    }

    /// Forgets what was shown.
    func restart() throws(TPMError) {
        try call { Esys_PolicyRestart($0, $1, Handle.none, Handle.none, Handle.none) }
    }

    /// Fulfils the requirement, compares the digest with the object's, and runs `body`; again from the beginning when a
    /// PCR changed meanwhile.
    ///
    /// - Throws: `policy` before `body` runs when the digests differ: the object would not open.
    func run<R: ~Copyable>(
        _ requirement: any PolicyRequirement, wantsPIN: Bool, digest expected: [UInt8],
        _ body: (SaltedSession) throws(TPMError) -> R
    ) throws(TPMError) -> R {
        var attempt = 1
        while true {
            do throws(TPMError) {
                try requirement.satisfy(self)
                if wantsPIN { try authValue() }
                guard try digest() == expected else { throw requirement.mismatch(self) }
                return try body(session)
            } catch {
                guard error.returnCode.isTPM(TPMCode.pcrChanged) else { throw error }
                guard attempt < PolicySession.patience else {
                    throw TPMError(
                        .policy, "\(error.message), \(attempt) times: PCRs change while the seal is opened",
                        errorClass: .retry)
                }
                attempt += 1
                usleep(UInt32.random(in: 10_000...50_000))
                try restart()
            }
        }
    }
}
