internal import Crypto
internal import Synchronization

/// The PIN that each token accepted last from this process, as a keyed hash: enough to see that a login would not be an
/// attempt. By the token's serial: two backends may use one token, and only the first of them has to log in.
enum AcceptedPINs {
    private struct Proof {
        let salt: [UInt8]
        let hash: [UInt8]
    }

    private static let proofs = Mutex<[String: Proof]>([:])

    /// Remembers one in place of the last.
    static func remember(_ pin: borrowing SecretBytes, tokenSerial: String) {
        var proof: Proof?
        if let salt = try? Random.bytes(16), let hash = try? HMACSHA256.authenticate(salt, key: pin) {
            proof = Proof(salt: salt, hash: hash)
        }
        proofs.withLock { $0[tokenSerial] = proof }
    }

    /// Whether it is that one; a failure of libcrypto counts as no.
    static func contains(_ pin: borrowing SecretBytes, tokenSerial: String) -> Bool {
        guard let proof = proofs.withLock({ $0[tokenSerial] }),
            let hash = try? HMACSHA256.authenticate(proof.salt, key: pin)
        else { return false }
        return ConstantTime.equal(hash, proof.hash)
    }
}
